import type { IEditorServices } from '@jupyterlab/codeeditor';
import type { TranslationBundle } from '@jupyterlab/translation';
import {
  addIcon,
  deleteIcon,
  downloadIcon,
  fileUploadIcon,
  saveIcon,
  Toolbar,
  ToolbarButton
} from '@jupyterlab/ui-components';
import type { LabIcon } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import { Panel, SplitPanel, Widget } from '@lumino/widgets';

import type { Actions } from './actions';
import { DiffView } from './diffView';
import { FileView } from './fileView';
import { HistoryView } from './historyView';
import type { MemoryModel } from './model';
import { NoticeView } from './notice';
import { TreeView } from './treeView';

/** Below this width, in pixels, tree and file do not fit in side by side. */
const NARROW = 560;

/** How tree and history share the room with a file or a difference. */
const PARTS = { horizontal: [2, 3], vertical: [1, 1] };

/**
 * The memory of a project: tree and history on the left, a file or a difference on the right, or
 * below where there is little room.
 */
export class MemoryPanel extends SplitPanel {
  constructor(
    readonly model: MemoryModel,
    readonly actions: Actions,
    private readonly _editors: IEditorServices,
    private readonly _trans: TranslationBundle
  ) {
    super({ orientation: 'horizontal', spacing: 1 });
    this.id = `cognition-memory-${model.projectId}`;
    this.addClass('jp-CognitionMemory');
    this.node.tabIndex = -1;
    const left = new SplitPanel({ orientation: 'vertical', spacing: 1 });
    this._tree = new TreeView(model, actions, _trans);
    this._history = new HistoryView(model, actions, _trans);
    left.addWidget(this._makeFiles());
    left.addWidget(this._makeHistory());
    left.setRelativeSizes([3, 2]);
    this._stage.addClass('jp-CognitionMemory-stage');
    this._notice = new NoticeView(model, _trans);
    this._difference = new DiffView(model, actions, _trans);
    this._stage.addWidget(this._notice);
    this._stage.addWidget(this._difference);
    this.addWidget(left);
    this.addWidget(this._stage);
    this.setRelativeSizes(PARTS.horizontal);
    model.stateChanged.connect(this._onChanged, this);
    this._onChanged();
  }

  override dispose(): void {
    this.model.dispose();
    super.dispose();
  }

  protected override onActivateRequest(): void {
    this.node.focus();
    this._tree.focus();
  }

  protected override onResize(message: Widget.ResizeMessage): void {
    super.onResize(message);
    const { width } = message;
    const orientation = width < NARROW ? 'vertical' : 'horizontal';
    // Nothing has a width while the view is hidden.
    if (width > 0 && orientation !== this.orientation) {
      this.orientation = orientation;
      this.setRelativeSizes(PARTS[orientation]);
    }
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.model.isVisible = true;
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.model.isVisible = this.isVisible;
  }

  protected override onBeforeHide(message: Message): void {
    super.onBeforeHide(message);
    this.model.isVisible = false;
  }

  private _makeFiles(): Widget {
    const { actions, _trans: trans } = this;
    const toolbar = makeToolbar(trans.__('Files'), [
      [addIcon, trans.__('New file'), () => actions.create()],
      [
        fileUploadIcon,
        trans.__('Upload files'),
        () => {
          actions.chooseUpload();
        }
      ],
      [downloadIcon, trans.__('Download the file'), () => actions.download()],
      [deleteIcon, trans.__('Delete'), () => actions.remove()]
    ]);
    return makeSection(trans.__('Files'), toolbar, this._tree);
  }

  private _makeHistory(): Widget {
    const { actions, _trans: trans } = this;
    const toolbar = makeToolbar(trans.__('Snapshots'), [
      [saveIcon, trans.__('Take a snapshot now'), () => actions.takeSnapshot()]
    ]);
    return makeSection(trans.__('Snapshots of hot memory'), toolbar, this._history);
  }

  /** Show what the model says on the right. */
  private _onChanged(): void {
    const { file, stage } = this.model;
    if (file !== (this._file?.file ?? null)) {
      this._file?.dispose();
      this._file = null;
      if (file !== null) {
        this._file = new FileView(file, this.actions, this._editors, this._trans);
        this._stage.addWidget(this._file);
      }
    }
    this._file?.setHidden(stage !== 'file');
    this._difference.setHidden(stage !== 'difference');
    this._notice.setHidden(stage !== 'nothing');
    const isDirty = file?.isDirty === true;
    this.title.className = isDirty ? 'jp-mod-dirty' : '';
  }

  private readonly _tree: TreeView;
  private readonly _history: HistoryView;
  private readonly _stage = new Panel();
  private readonly _notice: Widget;
  private readonly _difference: DiffView;
  private _file: FileView | null = null;
}

type Button = readonly [icon: LabIcon, tooltip: string, act: () => unknown];

function makeToolbar(name: string, buttons: readonly Button[]): Toolbar {
  const toolbar = new Toolbar();
  toolbar.node.setAttribute('aria-label', name);
  const heading = new Widget();
  heading.addClass('jp-CognitionMemory-heading');
  heading.node.textContent = name;
  toolbar.addItem('heading', heading);
  toolbar.addItem('spacer', Toolbar.createSpacerItem());
  for (const [icon, tooltip, act] of buttons) {
    toolbar.addItem(tooltip, new ToolbarButton({ icon, tooltip, onClick: () => void act() }));
  }
  return toolbar;
}

function makeSection(name: string, toolbar: Toolbar, view: Widget): Widget {
  const panel = new Panel();
  panel.addClass('jp-CognitionMemory-section');
  panel.node.setAttribute('role', 'region');
  panel.node.setAttribute('aria-label', name);
  panel.addWidget(toolbar);
  panel.addWidget(view);
  return panel;
}
