import type { JSONRecord } from '../server/check';

/** What all entries have. They are never changed: one that goes on is replaced. */
interface IBase {
  /** The same for an entry's whole life, and no other's in its conversation. */
  readonly key: number;

  /** When it began, ISO 8601; empty when that was not told. */
  readonly time: string;
}

/** What a user said; code that is run is not said, but the input of its tool. */
export interface IUserEntry extends IBase {
  readonly kind: 'user';
  readonly content: string;
}

/** What the responder said; not complete while more comes. */
export interface IAssistantEntry extends IBase {
  readonly kind: 'assistant';
  readonly content: string;
  readonly isComplete: boolean;
}

/** A piece of a tool's output, as long as the stream stays the same. */
export interface IOutput {
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
}

/** A rich output. */
export interface IArtifact {
  readonly data: JSONRecord;
  readonly metadata: JSONRecord;
}

/** The use of a tool; running code is one, too (`python`). */
export interface IToolEntry extends IBase {
  readonly kind: 'tool';
  readonly tool: string;

  /** As text; arguments that came as an object are JSON. */
  readonly input: string;
  readonly output: readonly IOutput[];

  /** How many characters in front of `output` were left out. */
  readonly omitted: number;
  readonly artifacts: readonly IArtifact[];

  /** `stopped` when its end never came: the turn was cancelled, or the session ended. */
  readonly state: 'running' | 'ended' | 'stopped';

  /** 0 for success; null when it is not known. */
  readonly exitCode: number | null;
}

/** The files that a turn has changed. */
export interface IDiffEntry extends IBase {
  readonly kind: 'diff';
  readonly files: readonly string[];

  /** The beginning of the diff to the last commit. */
  readonly preview: string;
}

/** How tests ended. */
export interface ITestsEntry extends IBase {
  readonly kind: 'tests';
  readonly exitCode: number | null;
  readonly summary: string;
}

/** What happened to the session. The view has the words for it. */
export interface INoticeEntry extends IBase {
  readonly kind: 'notice';
  readonly notice: 'started' | 'restarted' | 'ended' | 'error' | 'progress';

  /** For machines: the reason of a restart or end, the code of an error, the stage of progress. */
  readonly code: string;

  /** The server's words: of an error, or a detail of progress. */
  readonly message: string;
}

/** A piece of a conversation, in the order in which they are shown. */
export type IEntry =
  | IUserEntry
  | IAssistantEntry
  | IToolEntry
  | IDiffEntry
  | ITestsEntry
  | INoticeEntry;

/** `IEntry` without what the conversation adds. */
export type NewEntry = IEntry extends infer E
  ? E extends IEntry
    ? Omit<E, 'key'>
    : never
  : never;
