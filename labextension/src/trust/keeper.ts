import type { ICellModel } from '@jupyterlab/cells';
import { isCodeCellModel } from '@jupyterlab/cells';
import type { CodeConsole } from '@jupyterlab/console';
import type { NotebookPanel } from '@jupyterlab/notebook';

import type { Trust } from './model';
import { mayRun } from './model';

/** Keeps the cells of a view as trusted as their project is, and shows again what has changed. */
export interface ITrustKeeper {
  /** Call it whenever something may have changed. */
  update(trust: Trust): void;
}

/**
 * Of a notebook. Lab marks a cell as trusted when it is run; here it does not stay so in a project
 * that is not. Lab's indicator and other extensions go by that mark; `RenderGuard` does not.
 */
export class NotebookKeeper implements ITrustKeeper {
  constructor(private readonly _panel: NotebookPanel) {
    const cells = this._panel.content.model?.cells;
    this._watch(cells ?? []);
    cells?.changed.connect((_, { newValues }) => {
      this._watch(newValues);
    });
  }

  update(trust: Trust): void {
    const before = this._trust;
    this._trust = trust;
    if (trust === before) {
      return;
    }
    const { model } = this._panel.content;
    const wasDirty = model?.dirty === true;
    for (const cell of model?.cells ?? []) {
      if (trust === 'untrusted') {
        cell.trusted = false;
      } else if (trust === 'trusted' && before === 'untrusted') {
        cell.trusted = true;
      } else {
        renderAgain(cell);
      }
    }
    if (model && !wasDirty) {
      // Only the marks have changed, which are not kept in the file.
      model.dirty = false;
    }
  }

  private _watch(cells: Iterable<ICellModel>): void {
    for (const cell of cells) {
      // A second connection of the same slot is none.
      cell.stateChanged.connect(this._hold, this);
      this._hold(cell);
    }
  }

  private _hold(cell: ICellModel): void {
    if (this._trust === 'untrusted' && cell.trusted) {
      cell.trusted = false;
    }
  }

  private _trust: Trust = 'unknown';
}

/** Of a console. */
export class ConsoleKeeper implements ITrustKeeper {
  constructor(private readonly _console: CodeConsole) {}

  update(trust: Trust): void {
    const before = this._mayRun;
    this._mayRun = mayRun(trust);
    if (this._mayRun !== before) {
      for (const cell of this._console.cells) {
        renderAgain(cell.model);
      }
    }
  }

  private _mayRun = false;
}

/** Setting the outputs' mark makes them anew; for those without it nothing would change. */
function renderAgain(cell: ICellModel): void {
  if (isCodeCellModel(cell) && cell.outputs.trusted) {
    cell.outputs.trusted = false;
    cell.outputs.trusted = true;
  }
}
