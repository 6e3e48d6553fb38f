import type { ServerConnection } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Token } from '@lumino/coreutils';

import type { ProjectsModel } from './model/projects';
import type { ServerEvents } from './server/events';

/** What the plugins of this extension share. */
export interface IProjects {
  readonly settings: ServerConnection.ISettings;
  readonly events: ServerEvents;
  readonly model: ProjectsModel;
  readonly trans: TranslationBundle;
}

/** Provided by the plugin `cognition-jupyter:projects`. */
export const IProjects = new Token<IProjects>(
  'cognition-jupyter:IProjects',
  'The projects of the server, kept up to date.'
);
