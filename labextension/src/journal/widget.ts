import { MainAreaWidget } from '@jupyterlab/apputils';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ToolbarButton, refreshIcon } from '@jupyterlab/ui-components';

import { projectsIcon } from '../icons';
import type { IProjects } from '../tokens';
import type { IJournalOf } from './model';
import { JournalModel } from './model';
import { JournalPage } from './page';

/** The journal of a session, for the main area. */
export function makeJournal(
  options: IJournalOf & {
    readonly projects: IProjects;
    readonly rendermime: IRenderMimeRegistry;
  }
): MainAreaWidget<JournalPage> {
  const { projectId, projects, rendermime, sessionId } = options;
  const { events, settings, trans } = projects;
  const model = new JournalModel(settings, events, { projectId, sessionId });
  const content = new JournalPage(model, rendermime, trans);
  const widget = new MainAreaWidget({ content });
  widget.title.label = trans.__('Journal of %1', projectId);
  widget.title.caption = trans.__('Session %1 of %2', sessionId, projectId);
  widget.title.icon = projectsIcon;
  widget.toolbar.addItem(
    'refresh',
    new ToolbarButton({
      icon: refreshIcon,
      tooltip: trans.__('Look for more in the journal'),
      onClick: () => void model.read(0)
    })
  );
  widget.disposed.connect(() => {
    model.dispose();
  });
  return widget;
}
