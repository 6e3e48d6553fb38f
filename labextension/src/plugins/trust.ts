import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IConsoleTracker } from '@jupyterlab/console';
import { IHTMLViewerTracker } from '@jupyterlab/htmlviewer';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';

import { CommandIDs } from '../commands/ids';
import type { SessionsModel } from '../sessions/model';
import { IProjects, ISessions, ITrust } from '../tokens';
import { addTrustCommand } from '../trust/command';
import { RenderGuard } from '../trust/guard';
import { TrustModel, mayRun } from '../trust/model';
import { TrustedViews } from '../trust/views';

/** Lets outputs run scripts only in projects that the user trusts. */
export const trustPlugin: JupyterFrontEndPlugin<TrustModel> = {
  id: 'cognition-jupyter:trust',
  description: 'Lets outputs run scripts only in projects that the user trusts.',
  autoStart: true,
  provides: ITrust,
  requires: [IProjects, ISessions, IRenderMimeRegistry],
  optional: [INotebookTracker, IConsoleTracker, IHTMLViewerTracker, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    projects: IProjects,
    sessions: SessionsModel,
    rendermime: IRenderMimeRegistry,
    notebooks: INotebookTracker | null,
    consoles: IConsoleTracker | null,
    pages: IHTMLViewerTracker | null,
    palette: ICommandPalette | null
  ): TrustModel => {
    const { events, settings, trans } = projects;
    const model = new TrustModel(settings, events);
    const guard = new RenderGuard(
      path => mayRun(model.ofPath(path)),
      trans.__('Not shown: the project is not trusted.')
    );
    guard.install(rendermime);
    model.changed.connect(() => {
      guard.update();
    });
    const current = (): string | null => {
      const view = app.shell.currentWidget;
      for (const tracker of [notebooks, pages]) {
        const found = tracker?.find(widget => widget === view);
        if (found) {
          return model.projectOf(found.context.path)?.id ?? null;
        }
      }
      const found = consoles?.find(widget => widget === view);
      return found ? (model.projectOf(found.sessionContext.path)?.id ?? null) : null;
    };
    addTrustCommand(app.commands, projects, model, current);
    palette?.addItem({ command: CommandIDs.trust, category: trans.__('Projects') });

    const views = new TrustedViews(model, sessions, guard, trans, projectId => {
      void app.commands.execute(CommandIDs.trust, { project_id: projectId });
    });
    notebooks?.widgetAdded.connect((_, panel) => {
      views.addNotebook(panel);
    });
    consoles?.widgetAdded.connect((_, panel) => {
      views.addConsole(panel);
    });
    pages?.widgetAdded.connect((_, viewer) => {
      views.addPage(viewer);
    });
    return model;
  }
};
