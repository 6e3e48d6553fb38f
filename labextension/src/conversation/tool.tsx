import * as React from 'react';

import { harmless } from '../trust/guard';
import type { IArtifact, IToolEntry } from './entries';
import { Code, Rendered } from './rendered';
import { firstLine, overwritten } from './text';
import type { IConversationContext } from './view';

const ERROR = 'application/vnd.jupyter.error';

/** The use of a tool, which folds. */
export function ToolView({
  entry,
  context
}: {
  readonly entry: IToolEntry;
  readonly context: IConversationContext;
}): React.JSX.Element {
  const { trans, rendermime } = context;
  const { tool, input, omitted, output, artifacts, state } = entry;
  // Code is what somebody ran; the tools of an agent are how it got to its answer.
  const isCode = tool === 'python';
  const [isOpen, setOpen] = React.useState(isCode);
  return (
    <details
      className="jp-CognitionConversation-tool"
      data-state={isFailed(entry) ? 'failed' : state}
      open={isOpen}
      onToggle={event => {
        setOpen(event.currentTarget.open);
      }}
    >
      <summary>
        <span className="jp-CognitionConversation-toolHead">
          <span className="jp-CognitionConversation-toolName">{tool}</span>
          {!isOpen && (
            <code className="jp-CognitionConversation-toolInput">
              {firstLine(isCode ? input : input.replace(/\s+/g, ' '))}
            </code>
          )}
          <span className="jp-CognitionConversation-toolState">
            {stateOf(entry, context)}
          </span>
        </span>
      </summary>
      {isOpen && (
        <div className="jp-CognitionConversation-toolBody">
          {input && (
            <Code rendermime={rendermime} language={languageOf(entry)}>
              {input}
            </Code>
          )}
          {omitted > 0 && (
            <p className="jp-CognitionConversation-note">
              {trans._n(
                '%1 character of output before this is not shown.',
                '%1 characters of output before this are not shown.',
                omitted
              )}
            </p>
          )}
          {output.map(({ stream, text }, at) => (
            <Stream key={at} context={context} stream={stream} text={text} />
          ))}
          {artifacts.map((artifact, at) => (
            <Artifact key={at} context={context} artifact={artifact} />
          ))}
        </div>
      )}
    </details>
  );
}

const Stream = React.memo(function Stream({
  context,
  stream,
  text
}: {
  readonly context: IConversationContext;
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
}): React.JSX.Element {
  const mimeType = `application/vnd.jupyter.${stream}`;
  const data = React.useMemo(
    () => ({ [mimeType]: overwritten(text) }),
    [mimeType, text]
  );
  return (
    <div className="jp-CognitionConversation-output" data-stream={stream}>
      <Rendered rendermime={context.rendermime} mimeType={mimeType} data={data} />
    </div>
  );
});

function Artifact({
  context,
  artifact
}: {
  readonly context: IConversationContext;
  readonly artifact: IArtifact;
}): React.JSX.Element | null {
  const { rendermime, trans, trusted } = context;
  const { data, metadata } = artifact;
  if (ERROR in data) {
    return null; // its traceback came on stderr
  }
  const bundle = data as Parameters<typeof rendermime.preferredMimeType>[0];
  const mimeType = trusted
    ? rendermime.preferredMimeType(bundle, 'any')
    : rendermime.preferredMimeType(harmless(bundle), 'ensure');
  if (mimeType === undefined) {
    return (
      <p className="jp-CognitionConversation-note">
        {trusted
          ? trans.__('No renderer for this output: %1', Object.keys(data).join(', '))
          : trans.__(
              'An output that may run scripts is shown only in trusted projects: %1',
              Object.keys(data).join(', ')
            )}
      </p>
    );
  }
  return (
    <div className="jp-CognitionConversation-output">
      <Rendered
        rendermime={rendermime}
        mimeType={mimeType}
        data={data}
        metadata={metadata}
        trusted={trusted}
      />
    </div>
  );
}

function isFailed({ state, exitCode }: IToolEntry): boolean {
  return state === 'ended' && exitCode !== 0 && exitCode !== null;
}

function stateOf(entry: IToolEntry, { trans }: IConversationContext): string {
  const { artifacts, exitCode, state, tool } = entry;
  if (state === 'running') {
    return trans.__('running…');
  }
  if (state === 'stopped') {
    return trans.__('interrupted');
  }
  if (exitCode === null || exitCode === 0) {
    return trans.__('done');
  }
  const error = artifacts.map(({ data }) => data[ERROR]).find(Boolean);
  const name = (error as { ename?: unknown } | undefined)?.ename;
  if (typeof name === 'string') {
    return trans.__('failed: %1', name);
  }
  return tool === 'python'
    ? trans.__('failed')
    : trans.__('failed with exit code %1', exitCode);
}

function languageOf({ tool, input }: IToolEntry): string {
  return tool === 'python' ? 'python' : /^[[{]/.test(input) ? 'json' : '';
}
