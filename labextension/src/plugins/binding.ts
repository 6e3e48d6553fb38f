import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ILabShell } from '@jupyterlab/application';
import { PathExt } from '@jupyterlab/coreutils';
import { IConsoleTracker } from '@jupyterlab/console';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IStatusBar } from '@jupyterlab/statusbar';

import { tellEndings } from '../binding/endings';
import { ProjectKernel } from '../binding/kernel';
import type { IBoundView } from '../binding/model';
import { BindingModel } from '../binding/model';
import { ProjectStatus } from '../binding/status';
import { CommandIDs } from '../commands/ids';
import type { SessionsModel } from '../sessions/model';
import { IProjects, ISessions, ITrust } from '../tokens';
import type { TrustModel } from '../trust/model';

/** Binds notebooks and consoles to the projects that they are in. */
export const bindingPlugin: JupyterFrontEndPlugin<void> = {
  id: 'cognition-jupyter:binding',
  description: 'Chooses the kernel of notebooks in projects, and says what they run in.',
  autoStart: true,
  requires: [IProjects, ISessions, ITrust],
  optional: [INotebookTracker, IConsoleTracker, IStatusBar, ILabShell],
  activate: (
    app: JupyterFrontEnd,
    projects: IProjects,
    sessions: SessionsModel,
    trust: TrustModel,
    notebooks: INotebookTracker | null,
    consoles: IConsoleTracker | null,
    statusBar: IStatusBar | null,
    shell: ILabShell | null
  ) => {
    const { events, settings, trans } = projects;
    app.docRegistry.addWidgetExtension('Notebook', new ProjectKernel(trust));

    tellEndings(events, trans, kernelId => {
      const notebook = notebooks?.find(
        ({ sessionContext }) => sessionContext.session?.kernel?.id === kernelId
      );
      const console = consoles?.find(
        ({ sessionContext }) => sessionContext.session?.kernel?.id === kernelId
      );
      return notebook
        ? PathExt.basename(notebook.context.path)
        : (console?.sessionContext.name ?? null);
    });

    if (!statusBar || !shell) {
      return;
    }
    const inFront = (): IBoundView | null => {
      const view = shell.currentWidget;
      const notebook = notebooks?.find(widget => widget === view);
      if (notebook) {
        const { context, sessionContext } = notebook;
        return { path: context.path, sessionContext };
      }
      const console = consoles?.find(widget => widget === view);
      return console
        ? { path: console.sessionContext.path, sessionContext: console.sessionContext }
        : null;
    };
    const model = new BindingModel(settings, events, sessions, trust);
    const follow = (): void => {
      model.follow(inFront());
    };
    shell.currentChanged.connect(follow);
    notebooks?.widgetAdded.connect(follow);
    consoles?.widgetAdded.connect(follow);
    const item = new ProjectStatus(model, trans, projectId => {
      const command = [CommandIDs.overview, CommandIDs.open].find(id =>
        app.commands.hasCommand(id)
      );
      if (command) {
        void app.commands.execute(command, { project_id: projectId });
      }
    });
    statusBar.registerStatusItem('cognition-jupyter:project', {
      item,
      align: 'left',
      rank: 10,
      isActive: () => model.projectId !== null,
      activeStateChanged: model.stateChanged
    });
  }
};
