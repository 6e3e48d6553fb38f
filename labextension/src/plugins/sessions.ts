import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';

import { SessionsModel } from '../sessions/model';
import { IProjects, ISessions } from '../tokens';

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
