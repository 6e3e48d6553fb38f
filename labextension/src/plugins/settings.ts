import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ISettingRegistry } from '@jupyterlab/settingregistry';

import { PanelSettings } from '../model/settings';
import { IPanelSettings } from '../tokens';

/** The plugin whose settings they are; the schema has its name. */
const PLUGIN = 'cognition-jupyter:panel';

/** Reads the settings; the defaults hold where there are none. */
export const settingsPlugin: JupyterFrontEndPlugin<IPanelSettings> = {
  id: 'cognition-jupyter:settings',
  description: 'Reads the settings of the projects panel.',
  autoStart: true,
  provides: IPanelSettings,
  optional: [ISettingRegistry],
  activate: (_: JupyterFrontEnd, registry: ISettingRegistry | null) => {
    const settings = new PanelSettings();
    registry?.load(PLUGIN).then(
      loaded => {
        settings.follow(loaded);
      },
      (reason: unknown) => {
        console.warn(`No settings of ${PLUGIN}:`, reason);
      }
    );
    return settings;
  }
};
