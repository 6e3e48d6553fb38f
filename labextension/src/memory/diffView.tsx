import { Time } from '@jupyterlab/coreutils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { HTMLSelect } from '@jupyterlab/ui-components';
import * as React from 'react';

import { describe } from '../failure';
import type { IDifference } from '../server/snapshots';
import type { Actions } from './actions';
import { ChangeView } from './changeView';
import { LiveWidget } from './live';
import type { MemoryModel } from './model';

/** Changes that are unfolded at first. */
const UNFOLDED = 20;

/** What changed from one snapshot to another. */
export class DiffView extends LiveWidget {
  constructor(
    private readonly _model: MemoryModel,
    private readonly _actions: Actions,
    private readonly _trans: TranslationBundle
  ) {
    super([_model.history.stateChanged]);
    this.addClass('jp-CognitionMemory-pane');
  }

  protected override render(): React.JSX.Element | null {
    const { pair, difference, failure } = this._model.history;
    const trans = this._trans;
    if (pair === null) {
      return null;
    }
    const { from, to } = pair;
    return (
      <>
        <div className="jp-CognitionMemory-header">
          <h2>{trans.__('Changes')}</h2>
          <label>
            {trans.__('from')}
            {this._renderChoice(trans.__('From snapshot'), from, number =>
              this._model.history.compare(number, to)
            )}
          </label>
          <label>
            {trans.__('to')}
            {this._renderChoice(trans.__('To snapshot'), to, number =>
              this._model.history.compare(from, number)
            )}
          </label>
          <button
            type="button"
            className="jp-mod-styled jp-mod-accept"
            onClick={() => void this._actions.restore(to)}
          >
            {trans.__('Restore No. %1', to)}
          </button>
        </div>
        <div className="jp-CognitionMemory-body" aria-live="polite">
          {failure !== null && (
            <p role="alert" className="jp-CognitionMemory-error">
              {describe(failure, trans)}
            </p>
          )}
          {from === null && (
            <p>{trans.__('There is no snapshot before this one: choose another.')}</p>
          )}
          {from !== null && difference === null && failure === null && (
            <p>{trans.__('Loading…')}</p>
          )}
          {difference && this._renderDifference(difference)}
        </div>
      </>
    );
  }

  private _renderChoice(
    label: string,
    value: number | null,
    choose: (generation: number) => Promise<void>
  ): React.JSX.Element {
    const options = (this._model.history.snapshots ?? [])
      .filter(snapshot => snapshot.damaged === null)
      .map(({ generation, takenAt }) => ({
        value: generation,
        label: this._trans.__(
          'No. %1, %2',
          generation,
          takenAt === null ? '?' : Time.formatHuman(takenAt, 'narrow')
        )
      }));
    const isListed = options.some(option => option.value === value);
    const unlisted = { value: value ?? '', label: value?.toString() ?? '–' };
    return (
      <HTMLSelect
        aria-label={label}
        value={value ?? ''}
        options={isListed ? options : [unlisted, ...options]}
        onChange={event => {
          if (event.target.value !== '') {
            void choose(Number(event.target.value));
          }
        }}
      />
    );
  }

  private _renderDifference({ changes, from, to, more }: IDifference): React.JSX.Element {
    const trans = this._trans;
    return (
      <>
        {changes.length === 0 && <p>{trans.__('Nothing differs.')}</p>}
        {changes.map((change, i) => (
          <ChangeView
            key={[from, to, change.path].join(' ')}
            change={change}
            isUnfolded={i < UNFOLDED}
            trans={trans}
          />
        ))}
        {more > 0 && (
          <p>{trans._n('%1 more change is not shown.', '%1 more changes are not shown.', more)}</p>
        )}
      </>
    );
  }
}
