import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { IDiffEntry } from './entries';

/** The files that a turn has changed; unfolds to the diff. */
export function DiffView({
  entry: { files, preview },
  trans
}: {
  readonly entry: IDiffEntry;
  readonly trans: TranslationBundle;
}): React.JSX.Element {
  const [isOpen, setOpen] = React.useState(false);
  return (
    <details
      className="jp-CognitionConversation-diff"
      open={isOpen}
      onToggle={event => {
        setOpen(event.currentTarget.open);
      }}
    >
      <summary>
        {trans._n('%1 file changed', '%1 files changed', files.length)}:{' '}
        {files.slice(0, 5).join(', ')}
        {files.length > 5 && ' …'}
      </summary>
      {isOpen && <pre tabIndex={0}>{(preview || files.join('\n')).split('\n').map(line)}</pre>}
    </details>
  );
}

function line(text: string, at: number): React.JSX.Element {
  return (
    <span key={at} data-line={kindOf(text)}>
      {text}
      {'\n'}
    </span>
  );
}

/** What a line of a diff is, by its beginning. */
function kindOf(text: string): string {
  if (/^(diff |index |--- |\+\+\+ |@@)/.test(text)) {
    return 'head';
  }
  return text.startsWith('+') ? 'added' : text.startsWith('-') ? 'removed' : 'same';
}
