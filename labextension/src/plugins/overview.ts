import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import type { MainAreaWidget } from '@jupyterlab/apputils';
import { ICommandPalette, IThemeManager, WidgetTracker } from '@jupyterlab/apputils';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';

import { addProjectCommand } from '../commands/context';
import { CommandIDs } from '../commands/ids';
import { projectsIcon } from '../icons';
import type { JournalPage } from '../journal/page';
import type { PanelSettings } from '../model/settings';
import type { OverviewPage } from '../overview/page';
import { text } from '../server/check';
import { IPanelSettings, IProjects } from '../tokens';

const PROJECT = { type: 'string', description: 'Id of the project' } as const;
const SESSION = { type: 'string', description: 'Id of the session' } as const;

/** The overview of a project and the journals of its sessions. */
export const overviewPlugin: JupyterFrontEndPlugin<void> = {
  id: 'cognition-jupyter:overview',
  description: 'Shows the use of a project, and the journals of its sessions.',
  autoStart: true,
  requires: [IProjects, IPanelSettings, IRenderMimeRegistry],
  optional: [ILayoutRestorer, IThemeManager, ICommandPalette, IDefaultFileBrowser],
  activate: (
    app: JupyterFrontEnd,
    projects: IProjects,
    settings: PanelSettings,
    rendermime: IRenderMimeRegistry,
    restorer: ILayoutRestorer | null,
    themes: IThemeManager | null,
    palette: ICommandPalette | null,
    fileBrowser: IDefaultFileBrowser | null
  ) => {
    const { commands } = app;
    const { trans } = projects;
    const overviews = new WidgetTracker<MainAreaWidget<OverviewPage>>({
      namespace: 'cognition-overview'
    });
    const journals = new WidgetTracker<MainAreaWidget<JournalPage>>({
      namespace: 'cognition-journal'
    });

    addProjectCommand({ app, fileBrowser, projects, settings }, CommandIDs.overview, {
      label: () => trans.__('Open Overview'),
      icon: projectsIcon,
      failed: trans.__('The overview could not be opened'),
      isFor: () => true,
      run: async ({ id: projectId }) => {
        const { makeOverview } = await import('../views');
        show(app, overviews, projectId, () =>
          makeOverview({ projectId, projects, commands, rendermime, themes })
        );
      }
    });
    palette?.addItem({ category: trans.__('Projects'), command: CommandIDs.overview });
    commands.addCommand(CommandIDs.journal, {
      label: trans.__('Journal'),
      caption: trans.__('What was said and run in the session'),
      describedBy: {
        args: {
          type: 'object',
          properties: { project_id: PROJECT, session_id: SESSION },
          required: ['project_id', 'session_id']
        }
      },
      execute: async args => {
        const { makeJournal } = await import('../views');
        const projectId = text(args.project_id);
        const sessionId = text(args.session_id);
        show(app, journals, sessionId, () =>
          makeJournal({ projectId, sessionId, projects, rendermime })
        );
      }
    });

    void restorer?.restore(overviews, {
      command: CommandIDs.overview,
      args: ({ content }) => ({ project_id: content.model.projectId }),
      name: ({ content }) => content.model.projectId
    });
    void restorer?.restore(journals, {
      command: CommandIDs.journal,
      args: ({ content: { model } }) => ({
        project_id: model.of.projectId,
        session_id: model.of.sessionId
      }),
      name: ({ content }) => content.model.of.sessionId
    });
  }
};

/** Show the tracker's widget of `name`, made if it is not there. */
function show<T extends MainAreaWidget>(
  app: JupyterFrontEnd,
  tracker: WidgetTracker<T>,
  name: string,
  make: () => T
): void {
  const id = `${tracker.namespace}-${name}`;
  let widget = tracker.find(known => known.id === id);
  if (!widget) {
    widget = make();
    widget.id = id;
    void tracker.add(widget);
    app.shell.add(widget, 'main');
  }
  app.shell.activateById(id);
}
