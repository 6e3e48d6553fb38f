import type { TranslationBundle } from '@jupyterlab/translation';
import type { Message } from '@lumino/messaging';
import * as React from 'react';

import { describe } from '../failure';
import type { Actions } from './actions';
import { LiveWidget } from './live';
import type { MemoryModel } from './model';
import type { IRow } from './tree';
import { TreeRow } from './treeRow';

/** The routes and what is in them, as a tree for mouse, keyboard and screen reader. */
export class TreeView extends LiveWidget {
  constructor(
    private readonly _model: MemoryModel,
    private readonly _actions: Actions,
    private readonly _trans: TranslationBundle
  ) {
    super([_model.tree.stateChanged, _model.stateChanged]);
    this.addClass('jp-CognitionMemory-tree');
  }

  /** Give the focus to the active row, as soon as there is one. */
  focus(): void {
    const row = this.node.querySelector<HTMLElement>('[tabindex="0"]');
    this._wantsFocus = row === null;
    row?.focus();
  }

  protected override onUpdateRequest(message: Message): void {
    const hadFocus = this.node.contains(document.activeElement);
    super.onUpdateRequest(message);
    void this.renderPromise?.then(() => {
      // Not any more if the user is elsewhere by now.
      const isNear = this.node.closest('.jp-CognitionMemory')?.matches(':focus-within');
      // A row that goes takes the focus with it.
      const isLost = hadFocus && document.activeElement === document.body;
      if ((this._wantsFocus && isNear === true) || isLost) {
        this.focus();
      }
    });
  }

  protected override render(): React.JSX.Element {
    const { tree, file, error, routes } = this._model;
    const rows = tree.rows;
    // One stop of the Tab key; the arrows go on from there.
    const active = rows.some(row => row.key === tree.active)
      ? tree.active
      : rows[0]?.key;
    return (
      <>
        {error !== null && (
          <p role="alert" className="jp-CognitionMemory-error">
            {describe(error, this._trans)}
          </p>
        )}
        {routes === null && error === null && (
          <p role="status" className="jp-CognitionMemory-note">
            {this._trans.__('Loading…')}
          </p>
        )}
        {rows.length > 0 && (
          <ul
            role="tree"
            aria-label={this._trans.__('Memory')}
            onKeyDown={event => {
              this._onKey(event, rows);
            }}
            onDragOver={event => {
              allowFiles(event);
            }}
            onDrop={event => {
              this._onDrop(event, null);
            }}
          >
            {rows.map(row => (
              <TreeRow
                key={row.key}
                row={row}
                isActive={row.key === active}
                isOpen={row.kind !== 'note' && row.path === file?.path}
                trans={this._trans}
                onActivate={() => {
                  tree.active = row.key;
                }}
                onOpen={() => {
                  tree.active = row.key;
                  void this._open(row);
                }}
                onDragOver={allowFiles}
                onDrop={event => {
                  this._onDrop(event, row);
                }}
              />
            ))}
          </ul>
        )}
      </>
    );
  }

  private async _open(row: IRow): Promise<void> {
    if (row.note?.kind === 'more') {
      this._model.tree.showMore(row.note.directory);
    } else if (row.expanded !== null) {
      await this._model.tree.toggle(row.path);
    } else if (row.kind === 'file') {
      await this._actions.open(row.path);
    }
  }

  /** The keys of the tree pattern of ARIA. */
  private _onKey(event: React.KeyboardEvent, rows: readonly IRow[]): void {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) {
      return;
    }
    const { tree } = this._model;
    const at = Math.max(
      rows.findIndex(row => row.key === tree.active),
      0
    );
    const row = rows[at];
    if (row === undefined) {
      return;
    }
    const go = (index: number): void => {
      tree.active = rows[Math.min(Math.max(index, 0), rows.length - 1)]?.key ?? null;
    };
    switch (event.key) {
      case 'ArrowDown':
        go(at + 1);
        break;
      case 'ArrowUp':
        go(at - 1);
        break;
      case 'Home':
        go(0);
        break;
      case 'End':
        go(rows.length - 1);
        break;
      case 'ArrowRight':
        if (row.expanded === false) {
          void tree.toggle(row.path);
        } else if (row.expanded === true) {
          go(at + 1);
        }
        break;
      case 'ArrowLeft':
        if (row.expanded === true) {
          void tree.toggle(row.path);
        } else {
          let up = at;
          while (up > 0 && (rows[up]?.depth ?? 0) >= row.depth) {
            up -= 1;
          }
          go(up);
        }
        break;
      case 'Enter':
      case ' ':
        tree.active = row.key;
        void this._open(row);
        break;
      case 'Delete':
        void this._actions.remove();
        break;
      default:
        return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  private _onDrop(event: React.DragEvent, row: IRow | null): void {
    if (!allowFiles(event)) {
      return;
    }
    if (row !== null) {
      this._model.tree.active = row.key;
    }
    const directory = this._model.tree.directory;
    if (directory !== null) {
      void this._actions.upload(directory, [...event.dataTransfer.files]);
    }
  }

  private _wantsFocus = false;
}

/** Whether files of the machine are dragged; only then the drop is ours. */
function allowFiles(event: React.DragEvent): boolean {
  const areFiles = event.dataTransfer.types.includes('Files');
  if (areFiles) {
    event.preventDefault();
    event.stopPropagation();
  }
  return areFiles;
}
