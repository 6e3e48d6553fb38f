import type { ITranslator } from '@jupyterlab/translation';
import {
  CommandToolbarButton,
  SidePanel,
  ToolbarButton,
  refreshIcon
} from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import type { Message } from '@lumino/messaging';
import { Poll } from '@lumino/polling';
import type { AccordionPanel, Widget } from '@lumino/widgets';

import { CommandIDs } from '../commands/ids';
import { projectsIcon } from '../icons';
import type { PanelModel } from '../model/panel';
import type { IProjectsPanel } from '../tokens';
import { SectionHeights } from './heights';
import { ProjectListView } from './list';

/** The rank of the section that lists the projects. */
const LIST_RANK = 100;

/** The sidebar panel: a toolbar above sections that fold, of which the first lists the projects. */
export class ProjectsPanel extends SidePanel implements IProjectsPanel {
  constructor(options: ProjectsPanel.IOptions) {
    const { commands, model, translator } = options;
    const trans = translator.load('cognition_jupyter');
    super({ translator });
    this._model = model;
    this.id = 'cognition-projects';
    this.addClass('jp-CognitionProjects');
    this.title.icon = projectsIcon;
    this.title.caption = trans.__('Projects');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', trans.__('Projects'));
    this.toolbar.node.setAttribute('aria-label', trans.__('Projects toolbar'));
    this.toolbar.addItem(
      'create',
      new CommandToolbarButton({
        commands,
        id: CommandIDs.create,
        label: trans.__('New Project')
      })
    );
    this.toolbar.addItem(
      'import',
      new CommandToolbarButton({
        commands,
        id: CommandIDs.importArchive,
        label: ''
      })
    );
    this.toolbar.addItem(
      'refresh',
      new ToolbarButton({
        icon: refreshIcon,
        tooltip: trans.__('Refresh the list of projects'),
        onClick: () => void model.projects.refresh()
      })
    );
    const list = new ProjectListView(model, commands, trans);
    list.title.label = trans.__('All projects');
    this.heights = new SectionHeights(this.content as AccordionPanel, list);
    this.addSection(list, LIST_RANK);
  }

  /** How high the sections are. */
  readonly heights: SectionHeights;

  addSection(widget: Widget, rank: number): void {
    const after = this._ranks.findIndex(other => other > rank);
    const index = after < 0 ? this._ranks.length : after;
    this._ranks.splice(index, 0, rank);
    this.insertWidget(index, widget);
    this.heights.watch(widget);
  }

  override dispose(): void {
    this._clock.dispose();
    this.heights.dispose();
    super.dispose();
  }

  /** What was fetched before the panel was hidden may be old, and time has passed. */
  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    void this._model.projects.refresh();
    void this._clock.start();
  }

  protected override onAfterHide(message: Message): void {
    super.onAfterHide(message);
    void this._clock.stop();
  }

  private readonly _model: PanelModel;

  /** The times in words grow old; nothing is fetched for that. */
  private readonly _clock = new Poll({
    auto: false,
    factory: () => {
      this._model.tick();
      return Promise.resolve();
    },
    frequency: { interval: 60_000, backoff: false },
    standby: () => !this.isVisible
  });
  private readonly _ranks: number[] = [];
}

/** A namespace for `ProjectsPanel` statics. */
export namespace ProjectsPanel {
  /** The options of `ProjectsPanel`. */
  export interface IOptions {
    readonly commands: CommandRegistry;
    readonly model: PanelModel;
    readonly translator: ITranslator;
  }
}
