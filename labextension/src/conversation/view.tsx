import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { DiffView } from './diff';
import type { IAssistantEntry, IEntry, ITestsEntry } from './entries';
import { NoticeView } from './notice';
import { Rendered } from './rendered';
import { timeOfDay } from './text';
import { ToolView } from './tool';

/** What entries are shown with. Best the same object as long as nothing of it changes. */
export interface IConversationContext {
  readonly rendermime: IRenderMimeRegistry;
  readonly trans: TranslationBundle;

  /** Whether outputs may run scripts: only in a project that the user trusts. */
  readonly trusted: boolean;
}

/** The properties of `ConversationView`. */
export interface IConversationProps {
  readonly entries: readonly IEntry[];

  /** How many there were before them, which are not kept. */
  readonly dropped: number;
  readonly context: IConversationContext;
}

/** How many entries are in the page at first, and how many more each time. */
const PAGE = 100;

/** A conversation, the newest entries of which are shown, and earlier ones when asked for. */
export function ConversationView({
  entries,
  dropped,
  context
}: IConversationProps): React.JSX.Element {
  const { trans } = context;
  const [count, setCount] = React.useState(PAGE);
  // Progress counts only until something comes of it.
  const shown = entries.filter(
    (entry, at) =>
      entry.kind !== 'notice' ||
      entry.notice !== 'progress' ||
      at === entries.length - 1
  );
  const hidden = Math.max(0, shown.length - count);
  return (
    <div className="jp-CognitionConversation">
      {hidden > 0 && (
        <button
          type="button"
          className="jp-CognitionConversation-earlier jp-mod-styled"
          onClick={() => {
            setCount(count + PAGE);
          }}
        >
          {trans._n('Show earlier (%1 more)', 'Show earlier (%1 more)', hidden)}
        </button>
      )}
      {hidden === 0 && dropped > 0 && (
        <p className="jp-CognitionConversation-note">
          {trans.__('What was before this is not kept here.')}
        </p>
      )}
      {shown.slice(hidden).map(entry => (
        <EntryView key={entry.key} entry={entry} context={context} />
      ))}
    </div>
  );
}

/** Entries are never changed, so that one that is the same looks the same. */
const EntryView = React.memo(function EntryView({
  entry,
  context
}: {
  readonly entry: IEntry;
  readonly context: IConversationContext;
}): React.JSX.Element {
  const { trans } = context;
  switch (entry.kind) {
    case 'user':
      return (
        <Bubble who={trans.__('You')} kind="user" time={entry.time}>
          <p className="jp-CognitionConversation-said">{entry.content}</p>
        </Bubble>
      );
    case 'assistant':
      return (
        <Bubble who={trans.__('Agent')} kind="assistant" time={entry.time}>
          <AssistantView entry={entry} context={context} />
        </Bubble>
      );
    case 'tool':
      return <ToolView entry={entry} context={context} />;
    case 'diff':
      return <DiffView entry={entry} trans={trans} />;
    case 'tests':
      return <TestsView entry={entry} context={context} />;
    case 'notice':
      return <NoticeView entry={entry} trans={trans} />;
  }
});

/** What somebody says. */
function Bubble({
  who,
  kind,
  time,
  children
}: {
  readonly who: string;
  readonly kind: string;
  readonly time: string;
  readonly children: React.ReactNode;
}): React.JSX.Element {
  return (
    <article className="jp-CognitionConversation-bubble" data-kind={kind}>
      <header>
        {who} <time dateTime={time}>{timeOfDay(time)}</time>
      </header>
      {children}
    </article>
  );
}

function AssistantView({
  entry: { content },
  context
}: {
  readonly entry: IAssistantEntry;
  readonly context: IConversationContext;
}): React.JSX.Element {
  const data = React.useMemo(() => ({ 'text/markdown': content }), [content]);
  // Never trusted: a model says what it has read somewhere.
  return (
    <Rendered rendermime={context.rendermime} mimeType="text/markdown" data={data} />
  );
}

function TestsView({
  entry: { exitCode, summary },
  context: { trans }
}: {
  readonly entry: ITestsEntry;
  readonly context: IConversationContext;
}): React.JSX.Element {
  const isPassed = exitCode === 0;
  return (
    <p
      className="jp-CognitionConversation-tests"
      data-state={isPassed ? 'passed' : 'failed'}
    >
      {isPassed ? trans.__('Tests passed') : trans.__('Tests failed')}:{' '}
      {summary.replace(/^=+ | =+$/g, '')}
    </p>
  );
}
