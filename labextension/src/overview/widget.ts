import type { IThemeManager } from '@jupyterlab/apputils';
import { MainAreaWidget } from '@jupyterlab/apputils';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import {
  CommandToolbarButton,
  ToolbarButton,
  refreshIcon
} from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';

import { CommandIDs } from '../commands/ids';
import { projectsIcon } from '../icons';
import type { IProjects } from '../tokens';
import { OverviewModel } from './model';
import { OverviewPage } from './page';

/** What the toolbar offers, as far as it is there. */
const COMMANDS = [
  CommandIDs.open,
  CommandIDs.newNotebook,
  CommandIDs.chat,
  CommandIDs.memory,
  CommandIDs.edit
];

/** The overview of a project, for the main area. */
export function makeOverview(options: {
  readonly projectId: string;
  readonly projects: IProjects;
  readonly commands: CommandRegistry;
  readonly rendermime: IRenderMimeRegistry;
  readonly themes: IThemeManager | null;
}): MainAreaWidget<OverviewPage> {
  const { projectId, projects, commands, rendermime, themes } = options;
  const { events, settings, trans } = projects;
  const model = new OverviewModel(settings, events, projectId);
  const content = new OverviewPage(model, { commands, rendermime, themes, trans });
  const widget = new MainAreaWidget({ content });
  widget.title.label = trans.__('Overview of %1', projectId);
  widget.title.caption = widget.title.label;
  widget.title.icon = projectsIcon;
  for (const id of COMMANDS.filter(id => commands.hasCommand(id))) {
    const args = { project_id: projectId };
    // What has an icon says the rest when it is pointed at.
    const label = commands.icon(id, args) ? '' : undefined;
    const button = new CommandToolbarButton({ commands, id, args, label });
    widget.toolbar.addItem(id, button);
  }
  widget.toolbar.addItem(
    'refresh',
    new ToolbarButton({
      icon: refreshIcon,
      tooltip: trans.__('Refresh the overview'),
      onClick: () => void model.refresh()
    })
  );
  widget.disposed.connect(() => {
    model.dispose();
  });
  return widget;
}
