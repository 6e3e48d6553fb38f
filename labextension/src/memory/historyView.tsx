import { Time } from '@jupyterlab/coreutils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ToolbarButtonComponent, undoIcon } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import * as React from 'react';

import { describe } from '../failure';
import { sizeInWords } from '../model/words';
import type { ISnapshot } from '../server/snapshots';
import type { Actions } from './actions';
import { LiveWidget } from './live';
import type { MemoryModel } from './model';

/** The snapshots on a time line, newest first. */
export class HistoryView extends LiveWidget {
  constructor(
    private readonly _model: MemoryModel,
    private readonly _actions: Actions,
    private readonly _trans: TranslationBundle
  ) {
    super([_model.history.stateChanged, _model.stateChanged]);
    this.addClass('jp-CognitionMemory-history');
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this._clock = window.setInterval(() => {
      this.update(); // the ages
    }, 30_000);
  }

  protected override onBeforeDetach(message: Message): void {
    window.clearInterval(this._clock);
    super.onBeforeDetach(message);
  }

  protected override render(): React.JSX.Element {
    const { snapshots, error } = this._model.history;
    return (
      <>
        {error !== null && (
          <p role="alert" className="jp-CognitionMemory-error">
            {describe(error, this._trans)}
          </p>
        )}
        {snapshots?.length === 0 && (
          <p className="jp-CognitionMemory-note">
            {this._trans.__(
              'No snapshots yet. They are taken while sessions run, when they end, and when you ask.'
            )}
          </p>
        )}
        {snapshots !== null && snapshots.length > 0 && (
          <ol role="list" aria-label={this._trans.__('Snapshots, newest first')}>
            {snapshots.map(snapshot => this._renderSnapshot(snapshot))}
          </ol>
        )}
      </>
    );
  }

  private _renderSnapshot(snapshot: ISnapshot): React.JSX.Element {
    const { generation, takenAt, damaged, skipped } = snapshot;
    const { history, stage } = this._model;
    const isChosen = stage === 'difference' && history.pair?.to === generation;
    const trans = this._trans;
    return (
      <li key={generation} className="jp-CognitionMemory-snapshot">
        <button
          type="button"
          aria-pressed={isChosen}
          aria-disabled={damaged !== null}
          title={takenAt === null ? undefined : Time.format(takenAt)}
          onClick={() => {
            if (damaged === null) {
              this._model.stage = 'difference';
              void history.select(generation);
            }
          }}
        >
          <span className="jp-CognitionMemory-age">
            {takenAt === null ? trans.__('unknown time') : Time.formatHuman(takenAt)}
          </span>
          <span className="jp-CognitionMemory-number">
            {trans.__('No. %1', generation)}
          </span>
          <span className="jp-CognitionMemory-reason">
            {damaged === null
              ? reasonInWords(snapshot.reason, trans)
              : trans.__('Damaged: %1', damaged)}
          </span>
          <span className="jp-CognitionMemory-size">
            {trans._n('%1 file', '%1 files', snapshot.files)},{' '}
            {sizeInWords(snapshot.bytes)}
            {skipped > 0 && `, ${trans._n('%1 left out', '%1 left out', skipped)}`}
          </span>
        </button>
        {damaged === null && (
          <ToolbarButtonComponent
            icon={undoIcon}
            tooltip={trans.__('Restore snapshot %1', generation)}
            onClick={() => void this._actions.restore(generation)}
          />
        )}
      </li>
    );
  }

  private _clock = 0;
}

/** Why a snapshot was taken, in words. */
export function reasonInWords(reason: string, trans: TranslationBundle): string {
  switch (reason) {
    case 'interval':
      return trans.__('at its interval');
    case 'disconnect':
      return trans.__('the last connection closed');
    case 'session':
      return trans.__('a session ended');
    case 'release':
      return trans.__('nobody used it');
    case 'reconcile':
      return trans.__('left behind by a server');
    case 'request':
      return trans.__('on request');
    case 'restore':
      return trans.__('before a restore');
    case 'import':
      return trans.__('imported');
    default:
      return reason;
  }
}
