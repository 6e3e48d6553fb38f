import { Time } from '@jupyterlab/coreutils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { HTMLSelect } from '@jupyterlab/ui-components';
import * as React from 'react';

import { shortId, sizeInWords } from '../model/words';
import { LiveWidget } from './live';
import type { MemoryModel } from './model';

/** Which session's private memory is shown. */
export class SessionChoice extends LiveWidget {
  constructor(
    private readonly _model: MemoryModel,
    private readonly _trans: TranslationBundle
  ) {
    super([_model.stateChanged]);
    this.addClass('jp-CognitionMemory-session');
  }

  protected override render(): React.JSX.Element {
    const { session, sessions } = this._model;
    const none = { value: '', label: this._trans.__('No live session') };
    return (
      <label>
        {this._trans.__('Session')}
        <HTMLSelect
          aria-label={this._trans.__('Session whose private memory is shown')}
          value={session ?? ''}
          disabled={sessions.length === 0}
          options={
            sessions.length === 0
              ? [none]
              : sessions.map(({ id, startedAt }) => ({
                  value: id,
                  label: this._trans.__(
                    '%1, started %2',
                    shortId(id),
                    Time.formatHuman(startedAt, 'narrow')
                  )
                }))
          }
          onChange={event => {
            this._model.session = event.target.value;
          }}
        />
      </label>
    );
  }
}

/** How much of hot memory is used, when it was saved last, and what is being done. */
export class UsageView extends LiveWidget {
  constructor(
    private readonly _model: MemoryModel,
    private readonly _trans: TranslationBundle
  ) {
    super([_model.stateChanged]);
    this.addClass('jp-CognitionMemory-usage');
  }

  protected override render(): React.JSX.Element {
    const { busy, hot, routes } = this._model;
    const trans = this._trans;
    const bytes = hot?.bytes ?? 0;
    const limit = routes?.hotLimit ?? 0;
    return (
      <>
        <span role="status">{busy}</span>
        {hot !== null && (
          <span
            className={bytes > limit ? 'jp-CognitionMemory-over' : undefined}
            title={
              hot.lastSnapshotAt === null
                ? trans.__('Not saved to disk yet')
                : trans.__('Saved to disk %1', Time.formatHuman(hot.lastSnapshotAt))
            }
          >
            {trans.__('Hot memory: %1 of %2', sizeInWords(bytes), sizeInWords(limit))}
            <progress
              aria-label={trans.__('Hot memory that is used')}
              max={Math.max(limit, 1)}
              value={Math.min(bytes, limit)}
            />
          </span>
        )}
      </>
    );
  }
}
