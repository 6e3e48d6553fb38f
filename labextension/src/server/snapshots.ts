import type { ServerConnection } from '@jupyterlab/services';

import {
  list,
  number,
  numberOrNull,
  record,
  requiredText,
  text,
  textOrNull
} from './check';
import { requestJSON } from './request';

/** One generation of a project's hot memory on disk. */
export interface ISnapshot {
  readonly generation: number;
  readonly takenAt: string | null;
  readonly reason: string;
  readonly files: number;
  readonly bytes: number;

  /** How many entries could not be taken. */
  readonly skipped: number;

  /** Why it can't be used; null when it can. */
  readonly damaged: string | null;
}

/** One path that changed. */
export interface IChange {
  readonly path: string;
  readonly name: string;
  readonly kind: 'added' | 'removed' | 'changed';

  /** Unified, of text; else null, and `note` may say why. */
  readonly diff: string | null;
  readonly note: string | null;
}

/** What changed from one snapshot to another, by path. */
export interface IDifference {
  readonly from: number;
  readonly to: number;
  readonly changes: readonly IChange[];

  /** How many more changes there are. */
  readonly more: number;
}

/** What came of a restore. */
export interface IRestored {
  readonly generation: number;
  readonly files: number;

  /** The snapshot to restore to take it back; null when there was nothing. */
  readonly undo: number | null;

  /** Sentences about what is damaged, came from elsewhere, or is lost. */
  readonly problems: readonly string[];
  readonly lost: number;
}

/**
 * The history of a project's hot memory over REST.
 *
 * The methods throw UnexpectedAnswerError and what `request` throws.
 */
export class SnapshotsClient {
  constructor(
    private readonly _settings: ServerConnection.ISettings,
    readonly projectId: string
  ) {}

  /** The snapshots, newest first. */
  async list(): Promise<ISnapshot[]> {
    const body = record(
      await requestJSON(this._settings, { path: this._path() })
    );
    return list(body.snapshots, parseSnapshot);
  }

  /** Take one now; `created` is false when nothing had changed since the last. */
  async take(): Promise<{ generation: number; created: boolean }> {
    const body = record(
      await requestJSON(this._settings, { path: this._path(), method: 'POST' })
    );
    return {
      generation: number(body.generation),
      created: body.created === true
    };
  }

  /** What changed from snapshot `from` to snapshot `to`. */
  async diff(from: number, to: number): Promise<IDifference> {
    const body = record(
      await requestJSON(this._settings, {
        path: this._path(to.toString(), 'diff'),
        query: { against: from }
      })
    );
    const changes = (['added', 'removed', 'changed'] as const).flatMap(kind =>
      list(body[kind], value => parseChange(value, kind))
    );
    changes.sort((a, b) => (a.path < b.path ? -1 : 1));
    return {
      from: number(body.from),
      to: number(body.to),
      changes,
      more: number(body.more)
    };
  }

  /** Go back to a snapshot, after one of what is there. */
  async restore(generation: number): Promise<IRestored> {
    const body = record(
      await requestJSON(this._settings, {
        path: this._path(generation.toString(), 'restore'),
        method: 'POST'
      })
    );
    const lost = list(body.lost, record);
    const rows = [...lost, ...list(body.recovered, record)];
    return {
      generation: number(body.generation),
      files: number(body.files),
      undo: numberOrNull(body.undo),
      problems: rows.map(row => `${text(row.path)}: ${text(row.why)}`),
      lost: lost.length
    };
  }

  private _path(...rest: string[]): string[] {
    return ['api', 'projects', this.projectId, 'snapshots', ...rest];
  }
}

function parseSnapshot(value: unknown): ISnapshot {
  const snapshot = record(value);
  return {
    generation: number(snapshot.generation),
    takenAt: textOrNull(snapshot.taken_at),
    reason: text(snapshot.reason),
    files: number(snapshot.files),
    bytes: number(snapshot.bytes),
    skipped: number(snapshot.skipped),
    damaged: textOrNull(snapshot.damaged)
  };
}

function parseChange(value: unknown, kind: IChange['kind']): IChange {
  const change = record(value);
  const path = requiredText(change.path);
  return {
    path,
    name: text(change.name),
    kind,
    diff: textOrNull(change.diff),
    note: textOrNull(change.note)
  };
}
