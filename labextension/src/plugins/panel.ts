import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { PanelModel } from '../model/panel';
import { SizesModel } from '../model/sizes';
import type { SectionHeights } from '../panel/heights';
import { ProjectsPanel } from '../panel/panel';
import { IPanelSettings, IProjects, IProjectsPanel } from '../tokens';

/** Where the heights are kept that the user has given to the sections. */
const HEIGHTS = 'cognition-jupyter:panel:heights';

/** The panel in the left sidebar. */
export const panelPlugin: JupyterFrontEndPlugin<IProjectsPanel> = {
  id: 'cognition-jupyter:panel',
  description: 'Lists the projects of the server in the left sidebar.',
  autoStart: true,
  provides: IProjectsPanel,
  requires: [IProjects, IPanelSettings],
  optional: [ILayoutRestorer, IStateDB, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    projects: IProjects,
    settings: IPanelSettings,
    restorer: ILayoutRestorer | null,
    state: IStateDB | null,
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
    void keepHeights(panel.heights, app.restored, state);
    return panel;
  }
};

/** Lab restores heights when the panel has none yet, which loses them, and only its user's count. */
async function keepHeights(
  heights: SectionHeights,
  restored: Promise<void>,
  state: IStateDB | null
): Promise<void> {
  const kept = await state?.fetch(HEIGHTS).catch(() => undefined);
  await restored;
  const isParts = Array.isArray(kept) && kept.every(part => typeof part === 'number');
  heights.chosen = isParts ? kept : null;
  heights.changed.connect(({ chosen }) => {
    void (chosen ? state?.save(HEIGHTS, [...chosen]) : state?.remove(HEIGHTS));
  });
}
