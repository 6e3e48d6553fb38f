import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { IChange } from '../server/snapshots';
import { parseDiff } from './diff';
import { readable } from './paths';

/** Lines of one file that are shown before the user asks for all. */
const SHOWN = 500;

/** What `ChangeView` is made of. */
export interface IChangeViewProps {
  readonly change: IChange;
  readonly isUnfolded: boolean;
  readonly trans: TranslationBundle;
}

/** One path that changed, as coloured lines; the marks say the same without colours. */
export function ChangeView(props: IChangeViewProps): React.JSX.Element {
  const { change, trans } = props;
  const [isUnfolded, setIsUnfolded] = React.useState(props.isUnfolded);
  const [isWhole, setIsWhole] = React.useState(false);
  const { lines, added, removed } = React.useMemo(
    () => parseDiff(change.diff ?? ''),
    [change.diff]
  );
  const shown = isWhole ? lines : lines.slice(0, SHOWN);
  return (
    <details
      className="jp-CognitionMemory-change"
      open={isUnfolded}
      onToggle={event => {
        setIsUnfolded(event.currentTarget.open);
      }}
    >
      <summary>
        <span>{kindInWords(change.kind, trans)}</span>
        <span className="jp-CognitionMemory-name">{readable(change.path)}</span>
        {change.diff !== null && (
          <span className="jp-CognitionMemory-size">{`+${added.toString()} −${removed.toString()}`}</span>
        )}
      </summary>
      {isUnfolded && change.note !== null && (
        <p>{trans.__('Not compared: %1', change.note)}</p>
      )}
      {isUnfolded && lines.length > 0 && (
        <pre tabIndex={0} aria-label={trans.__('Changes of %1', readable(change.path))}>
          {shown.map(({ kind, text }, i) => (
            <span key={i} className={`jp-CognitionMemory-line jp-CognitionMemory-${kind}`}>
              {text}
              {'\n'}
            </span>
          ))}
        </pre>
      )}
      {isUnfolded && shown.length < lines.length && (
        <button
          type="button"
          className="jp-mod-styled"
          onClick={() => {
            setIsWhole(true);
          }}
        >
          {trans.__('Show all %1 lines', lines.length)}
        </button>
      )}
    </details>
  );
}

function kindInWords(kind: IChange['kind'], trans: TranslationBundle): string {
  switch (kind) {
    case 'added':
      return trans.__('added');
    case 'removed':
      return trans.__('removed');
    case 'changed':
      return trans.__('changed');
  }
}
