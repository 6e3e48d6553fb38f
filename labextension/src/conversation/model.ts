import { StateModel } from '../model/state';
import type { JSONRecord } from '../server/check';
import { isRecord, number, numberOrNull, text, texts } from '../server/check';
import type {
  IArtifact,
  IAssistantEntry,
  IEntry,
  INoticeEntry,
  IToolEntry
} from './entries';
import { EntryList, withOutput } from './entryList';

/** How much of a conversation is kept; the newest entry always is. */
export interface ILimits {
  readonly entries: number;

  /** Of all entries, roughly. */
  readonly characters: number;

  /** Of the output of one tool (its end), and of what was said at once (its beginning). */
  readonly text: number;
}

const LIMITS: ILimits = { entries: 2000, characters: 16e6, text: 200_000 };

/**
 * A session as a conversation, made of the events of `/ws` or of a journal, one at a time;
 * docs/websocket.md says what they are. What is not understood is left out. Views render again at
 * each `stateChanged`.
 */
export class Conversation extends StateModel {
  constructor(limits: Partial<ILimits> = {}) {
    super();
    this._limits = { ...LIMITS, ...limits };
    this._entries = new EntryList(this._limits);
  }

  /** Oldest first. Entries are never changed, and the array is another one after each change. */
  get entries(): readonly IEntry[] {
    return this._entries.all;
  }

  /** How many entries were dropped from the beginning, because there were too many. */
  get dropped(): number {
    return this._entries.dropped;
  }

  /** Number of the newest event, to ask for those after it. */
  get lastSeq(): number {
    return this._lastSeq;
  }

  /** What the last `session_started` said; null before the first. */
  get session(): JSONRecord | null {
    return this._session;
  }

  /** Whether the session has ended. */
  get isEnded(): boolean {
    return this._isEnded;
  }

  /** Whether a turn runs. */
  get isWorking(): boolean {
    return this._isTurn;
  }

  /**
   * The session of the same project whose turn this one's turn waits for; empty where it is not
   * known which, null when the turn waits for none.
   */
  get waitsFor(): string | null {
    return this._waitsFor;
  }

  /** Take an event. One that was there already, by its number, changes nothing. */
  push(event: unknown): void {
    if (!isRecord(event)) {
      return;
    }
    const seq = number(event.seq);
    if (seq > 0) {
      if (seq <= this._lastSeq) {
        return;
      }
      this._lastSeq = seq;
    }
    this._take(event, text(event.time), seq > 0);
    this.stateChanged.emit();
  }

  /** Events that are not `isNumbered` are for one client alone. */
  private _take(event: JSONRecord, time: string, isNumbered: boolean): void {
    switch (event.event) {
      case 'session_started':
        this._session = event;
        this._isEnded = false;
        if (isNumbered) {
          this._addNotice('started', time);
        }
        break;
      case 'session_restarted':
        this._addNotice('restarted', time, text(event.reason));
        break;
      case 'session_ended':
        // That can be told twice: a killed server writes it down when it is back.
        if (!this._isEnded) {
          this._isEnded = true;
          this._endTurn();
          this._addNotice('ended', time, text(event.reason));
        }
        break;
      case 'user_message':
        this._isTurn = true;
        this._entries.add({ kind: 'user', time, content: this._clipped(event.content) });
        break;
      case 'assistant_message':
        this._isTurn = true;
        this._assistantMessage(event, time);
        break;
      case 'turn_waiting':
        this._isTurn = true;
        this._waitsFor = event.is_waiting === true ? text(event.waits_for) : null;
        break;
      case 'tool_start':
        this._isTurn = true;
        this._startTool(event, time);
        break;
      case 'tool_output': {
        const stream = event.stream === 'stderr' ? 'stderr' : 'stdout';
        const piece = { stream, text: text(event.chunk) } as const;
        const tool = this._runningTool(event, time);
        this._entries.replace(withOutput(tool, piece, this._limits.text));
        break;
      }
      case 'tool_end':
        this._entries.replace({
          ...this._runningTool(event, time),
          artifacts: artifacts(event.artifacts),
          state: 'ended',
          exitCode: numberOrNull(event.exit_code)
        });
        break;
      case 'diff_applied':
        this._entries.add({
          kind: 'diff',
          time,
          files: texts(event.files_changed),
          preview: this._clipped(event.diff_preview)
        });
        break;
      case 'tests_finished':
        this._entries.add({
          kind: 'tests',
          time,
          exitCode: numberOrNull(event.exit_code),
          summary: this._clipped(event.summary)
        });
        break;
      case 'progress':
        this._progress(event, time);
        break;
      case 'error':
        this._addNotice('error', time, text(event.code), event.message);
        break;
      case 'done':
        this._endTurn();
        break;
    }
  }

  /** Parts are put together; the last one, which is complete, is the whole. */
  private _assistantMessage(event: JSONRecord, time: string): void {
    const isComplete = event.is_complete === true;
    const said = text(event.content);
    const open = this._entries.find(
      (entry): entry is IAssistantEntry =>
        entry.kind === 'assistant' && !entry.isComplete
    );
    if (open) {
      const content = this._clipped(isComplete ? said : open.content + said);
      this._entries.replace({ ...open, content, isComplete });
    } else if (said) {
      const content = this._clipped(said);
      this._entries.add({ kind: 'assistant', time, content, isComplete });
    }
  }

  private _startTool(event: JSONRecord, time: string): IToolEntry {
    const { input = '' } = event;
    const told = typeof input === 'string' ? input : JSON.stringify(input, null, 2);
    return this._entries.add({
      kind: 'tool',
      time,
      tool: text(event.tool),
      input: this._clipped(told),
      output: [],
      omitted: 0,
      artifacts: [],
      state: 'running',
      exitCode: null
    });
  }

  /** The tool that an event is about, also when its start was not told. */
  private _runningTool(event: JSONRecord, time: string): IToolEntry {
    const tool = text(event.tool);
    const isIt = (entry: IEntry): entry is IToolEntry =>
      entry.kind === 'tool' && entry.state === 'running' && entry.tool === tool;
    return this._entries.find(isIt) ?? this._startTool({ tool }, time);
  }

  /** One entry for all that comes in a row. */
  private _progress(event: JSONRecord, time: string): void {
    const { last } = this._entries;
    if (last?.kind === 'notice' && last.notice === 'progress') {
      const message = this._clipped(event.detail);
      this._entries.replace({ ...last, code: text(event.stage), message });
    } else {
      this._addNotice('progress', time, text(event.stage), event.detail);
    }
  }

  private _addNotice(
    notice: INoticeEntry['notice'],
    time: string,
    code = '',
    message: unknown = ''
  ): void {
    const clipped = this._clipped(message);
    this._entries.add({ kind: 'notice', time, notice, code, message: clipped });
  }

  /** What still runs gets no end of its own any more. */
  private _endTurn(): void {
    this._isTurn = false;
    this._waitsFor = null;
    for (const entry of this.entries) {
      if (entry.kind === 'tool' && entry.state === 'running') {
        this._entries.replace({ ...entry, state: 'stopped' });
      } else if (entry.kind === 'assistant' && !entry.isComplete) {
        this._entries.replace({ ...entry, isComplete: true });
      }
    }
  }

  /** The beginning of a text. */
  private _clipped(value: unknown): string {
    const all = text(value);
    const { text: limit } = this._limits;
    return all.length > limit ? `${all.slice(0, limit)}…` : all;
  }

  private readonly _limits: ILimits;
  private readonly _entries: EntryList;
  private _session: JSONRecord | null = null;
  private _lastSeq = 0;
  private _isTurn = false;
  private _waitsFor: string | null = null;
  private _isEnded = false;
}

/** Rich outputs; what is none is left out. */
function artifacts(value: unknown): IArtifact[] {
  return (Array.isArray(value) ? value : []).flatMap((item: unknown) => {
    const { data, metadata }: JSONRecord = isRecord(item) ? item : {};
    return isRecord(data)
      ? [{ data, metadata: isRecord(metadata) ? metadata : {} }]
      : [];
  });
}
