import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { ProjectsPanel } from '../panel/panel';
import { IProjects, IProjectsPanel } from '../tokens';

/** The panel in the left sidebar. */
export const panelPlugin: JupyterFrontEndPlugin<IProjectsPanel> = {
  id: 'cognition-jupyter:panel',
  description: 'Lists the projects of the server in the left sidebar.',
  autoStart: true,
  provides: IProjectsPanel,
  requires: [IProjects],
  optional: [ILayoutRestorer, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    projects: IProjects,
    restorer: ILayoutRestorer | null,
    translator: ITranslator | null
  ): IProjectsPanel => {
    const panel = new ProjectsPanel({
      model: projects.model,
      translator: translator ?? nullTranslator,
      open: path => {
        void app.commands.execute('filebrowser:open-path', { path });
      }
    });
    app.shell.add(panel, 'left', { rank: 300, type: 'Projects' });
    restorer?.add(panel, panel.id);
    return panel;
  }
};
