import type { ITranslator } from '@jupyterlab/translation';
import { SidePanel, ToolbarButton, refreshIcon } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import { Panel } from '@lumino/widgets';

import { projectsIcon } from '../icons';
import type { ProjectsModel } from '../model/projects';
import { ProjectListView } from './list';

/** The sidebar panel: a toolbar above the list of projects. */
export class ProjectsPanel extends SidePanel {
  constructor(options: ProjectsPanel.IOptions) {
    const { model, open, translator } = options;
    const trans = translator.load('cognition_jupyter');
    super({ content: new Panel(), translator });
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
    this.content.addWidget(new ProjectListView(model, trans, open));
  }

  /** What was fetched before the panel was hidden may be old. */
  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    void this._model.refresh();
  }

  private readonly _model: ProjectsModel;
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
