import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { showFailure } from '../failure';
import { ProjectsModel } from '../model/projects';
import { ServerEvents } from '../server/events';
import { IProjects } from '../tokens';

/** Knows the projects, and tells the user of sessions that could not start. */
export const projectsPlugin: JupyterFrontEndPlugin<IProjects> = {
  id: 'cognition-jupyter:projects',
  description: 'Keeps up with the projects of the server.',
  autoStart: true,
  provides: IProjects,
  optional: [ITranslator],
  activate: (app: JupyterFrontEnd, translator: ITranslator | null): IProjects => {
    const trans = (translator ?? nullTranslator).load('cognition_jupyter');
    const settings = app.serviceManager.serverSettings;
    const events = new ServerEvents(settings);
    const model = new ProjectsModel(settings, events);
    events.happened.connect((_, { noun, action, data }) => {
      if (noun === 'session' && action === 'failed') {
        const title = trans.__('The session could not start');
        showFailure(title, String(data.message), trans);
      }
    });
    return { settings, events, model, trans };
  }
};
