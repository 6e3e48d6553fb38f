import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { PanelModel } from '../model/panel';
import { SizesModel } from '../model/sizes';
import { ProjectsPanel } from '../panel/panel';
import { IPanelSettings, IProjects, IProjectsPanel } from '../tokens';

/** The panel in the left sidebar. */
export const panelPlugin: JupyterFrontEndPlugin<IProjectsPanel> = {
  id: 'cognition-jupyter:panel',
  description: 'Lists the projects of the server in the left sidebar.',
  autoStart: true,
  provides: IProjectsPanel,
  requires: [IProjects, IPanelSettings],
  optional: [ILayoutRestorer, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    projects: IProjects,
    settings: IPanelSettings,
    restorer: ILayoutRestorer | null,
    translator: ITranslator | null
  ): IProjectsPanel => {
    const { events } = projects;
    const panel = new ProjectsPanel({
      commands: app.commands,
      model: new PanelModel({
        projects: projects.model,
        sizes: new SizesModel(projects.settings, events),
        settings,
        events
      }),
      translator: translator ?? nullTranslator
    });
    app.shell.add(panel, 'left', { rank: 300, type: 'Projects' });
    restorer?.add(panel, panel.id);
    return panel;
  }
};
