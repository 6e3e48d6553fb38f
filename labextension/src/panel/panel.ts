import type { ITranslator } from '@jupyterlab/translation';
import { SidePanel, ToolbarButton, refreshIcon } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import type { Widget } from '@lumino/widgets';

import { projectsIcon } from '../icons';
import type { ProjectsModel } from '../model/projects';
import type { IProjectsPanel } from '../tokens';
import { ProjectListView } from './list';

/** The rank of the section that lists the projects. */
const LIST_RANK = 100;

/** The sidebar panel: a toolbar above sections that fold, of which the first lists the projects. */
export class ProjectsPanel extends SidePanel implements IProjectsPanel {
  constructor(options: ProjectsPanel.IOptions) {
    const { model, open, translator } = options;
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
      'refresh',
      new ToolbarButton({
        icon: refreshIcon,
        tooltip: trans.__('Refresh the list of projects'),
        onClick: () => void model.refresh()
      })
    );
    const list = new ProjectListView(model, trans, open);
    list.title.label = trans.__('All projects');
    this.addSection(list, LIST_RANK);
  }

  addSection(widget: Widget, rank: number): void {
    const after = this._ranks.findIndex(other => other > rank);
    const index = after < 0 ? this._ranks.length : after;
    this._ranks.splice(index, 0, rank);
    this.insertWidget(index, widget);
  }

  /** What was fetched before the panel was hidden may be old. */
  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    void this._model.refresh();
  }

  private readonly _model: ProjectsModel;
  private readonly _ranks: number[] = [];
}

/** A namespace for `ProjectsPanel` statics. */
export namespace ProjectsPanel {
  /** The options of `ProjectsPanel`. */
  export interface IOptions {
    readonly model: ProjectsModel;
    readonly translator: ITranslator;

    /** Called when the user chooses a project. */
    readonly open: (contentsPath: string) => void;
  }
}
