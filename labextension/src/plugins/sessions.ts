import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';

import { sessionActions } from '../sessions/actions';
import { SessionsModel } from '../sessions/model';
import { SessionsSection } from '../sessions/section';
import { IProjects, IProjectsPanel, ISessions } from '../tokens';

const SECTION_RANK = 200;

/** Knows the sessions of all projects. */
export const sessionsModelPlugin: JupyterFrontEndPlugin<SessionsModel> = {
  id: 'cognition-jupyter:sessions-model',
  description: 'Keeps up with the sessions of all projects.',
  autoStart: true,
  provides: ISessions,
  requires: [IProjects],
  activate: (_: JupyterFrontEnd, projects: IProjects): SessionsModel => {
    const model = new SessionsModel(projects.settings, projects.events);
    void model.refresh();
    return model;
  }
};

/** The section of the sidebar panel that shows them. */
export const sessionsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'cognition-jupyter:sessions',
  description: 'Lists the sessions of all projects in the sidebar panel.',
  autoStart: true,
  requires: [IProjects, ISessions, IProjectsPanel],
  activate: (
    app: JupyterFrontEnd,
    projects: IProjects,
    sessions: SessionsModel,
    panel: IProjectsPanel
  ) => {
    const section = new SessionsSection({
      sessions,
      kernels: app.serviceManager.kernels,
      documents: app.serviceManager.sessions,
      settings: projects.settings,
      actions: sessionActions(app, projects, sessions),
      trans: projects.trans
    });
    panel.addSection(section, SECTION_RANK);
  }
};
