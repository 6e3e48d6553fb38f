import type { ILabStatus } from '@jupyterlab/application';
import { MainAreaWidget } from '@jupyterlab/apputils';
import type { IEditorServices } from '@jupyterlab/codeeditor';
import { NotebookActions } from '@jupyterlab/notebook';
import type { Kernel } from '@jupyterlab/services';
import {
  refreshIcon,
  Toolbar,
  ToolbarButton,
  treeViewIcon
} from '@jupyterlab/ui-components';
import type { IDisposable } from '@lumino/disposable';
import type { Message } from '@lumino/messaging';

import type { SessionsModel } from '../sessions/model';
import type { IProjects } from '../tokens';
import { Actions } from './actions';
import { MemoryModel } from './model';
import { WarningView } from './notice';
import { MemoryPanel } from './panel';
import { SessionChoice, UsageView } from './toolbar';

/** The memory view of one project in Lab's main area. */
export class MemoryView extends MainAreaWidget<MemoryPanel> {
  constructor(options: MemoryView.IOptions) {
    const { projects, sessions, projectId, editors, kernels } = options;
    const { trans } = projects;
    const { settings, events } = projects;
    const model = new MemoryModel(settings, events, sessions, projectId);
    const actions = new Actions(model, trans);
    super({ content: new MemoryPanel(model, actions, editors, trans) });
    this.model = model;
    this.actions = actions;
    this._kernels = kernels;
    this._status = options.status;
    this.id = `cognition-memory-view-${projectId}`;
    this.title.label = trans.__('Memory of %1', projectId);
    this.title.caption = this.title.label;
    this.title.icon = treeViewIcon;
    this.node.setAttribute('aria-label', this.title.label);
    this.toolbar.addItem(
      'refresh',
      new ToolbarButton({
        icon: refreshIcon,
        tooltip: trans.__('Refresh'),
        onClick: () => void model.refresh()
      })
    );
    this.toolbar.addItem('session', new SessionChoice(model, trans));
    this.toolbar.addItem('spacer', Toolbar.createSpacerItem());
    this.toolbar.addItem('usage', new UsageView(model, trans));
    this.contentHeader.addWidget(new WarningView(model));
    kernels.runningChanged.connect(this._onKernels, this);
    NotebookActions.executed.connect(this._onExecuted, this);
    model.stateChanged.connect(this._onChanged, this);
  }

  readonly model: MemoryModel;
  readonly actions: Actions;

  override dispose(): void {
    this._unsaved?.dispose();
    this._unsaved = null;
    super.dispose();
  }

  /** Close, unless there are changes that the user would not lose. */
  protected override onCloseRequest(message: Message): void {
    void this.actions.mayLeave().then(mayLeave => {
      if (mayLeave && !this.isDisposed) {
        super.onCloseRequest(message);
      }
    });
  }

  private _onKernels(_: Kernel.IManager, kernels: Kernel.IModel[]): void {
    this.model.onKernels(kernels);
  }

  /** Lab would look at its kernels some seconds later anyway. */
  private _onExecuted(): void {
    if (this.model.isVisible) {
      void this._kernels.refreshRunning();
    }
  }

  /** Let the browser ask before the page is closed. */
  private _onChanged(): void {
    const isDirty = this.model.file?.isDirty === true;
    if (isDirty && this._unsaved === null) {
      this._unsaved = this._status?.setDirty() ?? null;
    } else if (!isDirty) {
      this._unsaved?.dispose();
      this._unsaved = null;
    }
  }

  private readonly _kernels: Kernel.IManager;
  private readonly _status: ILabStatus | null;
  private _unsaved: IDisposable | null = null;
}

/** A namespace for `MemoryView` statics. */
export namespace MemoryView {
  /** The options of `MemoryView`. */
  export interface IOptions {
    readonly projects: IProjects;
    readonly sessions: SessionsModel;
    readonly projectId: string;
    readonly editors: IEditorServices;
    readonly kernels: Kernel.IManager;
    readonly status: ILabStatus | null;
  }
}
