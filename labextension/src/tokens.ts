import type { ServerConnection } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Token } from '@lumino/coreutils';
import type { Widget } from '@lumino/widgets';

import type { ProjectsModel } from './model/projects';
import type { PanelSettings } from './model/settings';
import type { ServerEvents } from './server/events';
import type { SessionsModel } from './sessions/model';
import type { TrustModel } from './trust/model';

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

/** Provided by the plugin `cognition-jupyter:sessions-model`. */
export const ISessions = new Token<SessionsModel>(
  'cognition-jupyter:ISessions',
  'The sessions of all projects, kept up to date.'
);

/** Provided by the plugin `cognition-jupyter:trust`. */
export const ITrust = new Token<TrustModel>(
  'cognition-jupyter:ITrust',
  'Which projects files are in, and whether those are trusted.'
);

/** The panel in the left sidebar, for plugins that have a section in it. */
export interface IProjectsPanel {
  /**
   * Add a section. Its heading is the widget's `title.label`; a `toolbar` of the widget, as
   * `PanelWithToolbar` has one, is shown in the heading. Sections are ordered by rank; that of
   * the list of projects is 100.
   */
  addSection(widget: Widget, rank: number): void;
}

/** Provided by the plugin `cognition-jupyter:panel`. */
export const IProjectsPanel = new Token<IProjectsPanel>(
  'cognition-jupyter:IProjectsPanel',
  'The panel in the left sidebar, to which sections can be added.'
);

/** The user's settings, see schema/panel.json. */
export type IPanelSettings = PanelSettings;

/** Provided by the plugin `cognition-jupyter:settings`. */
export const IPanelSettings = new Token<IPanelSettings>(
  'cognition-jupyter:IPanelSettings',
  "The user's settings of the projects panel."
);
