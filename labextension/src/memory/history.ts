import { StateModel } from '../model/state';
import type {
  IDifference,
  IRestored,
  ISnapshot,
  SnapshotsClient
} from '../server/snapshots';

/** The snapshots of a project, and what changed between two of them. */
export class HistoryModel extends StateModel {
  constructor(private readonly _client: SnapshotsClient) {
    super();
  }

  /** The snapshots, newest first; null before the first answer. */
  get snapshots(): readonly ISnapshot[] | null {
    return this._snapshots;
  }

  /** Why they could not be fetched. */
  get error(): unknown {
    return this._error;
  }

  /** The two that are compared; `from` is null when there is nothing before `to`. */
  get pair(): { readonly from: number | null; readonly to: number } | null {
    return this._pair;
  }

  /** What changed between the two; null while it is fetched and when that failed. */
  get difference(): IDifference | null {
    return this._difference;
  }

  /** Why there is no difference. */
  get failure(): unknown {
    return this._failure;
  }

  /** Fetch the list. Never rejects. */
  async refresh(): Promise<void> {
    const request = ++this._listed;
    let snapshots = this._snapshots;
    let error: unknown = null;
    try {
      snapshots = await this._client.list();
    } catch (reason) {
      error = reason;
    }
    if (!this.isDisposed && request === this._listed) {
      this._snapshots = snapshots;
      this._error = error;
      this.stateChanged.emit();
    }
  }

  /** Compare a snapshot with the one before it. Never rejects. */
  async select(generation: number): Promise<void> {
    const before = this._snapshots?.find(
      snapshot => snapshot.generation < generation && snapshot.damaged === null
    );
    await this.compare(before?.generation ?? null, generation);
  }

  /** Compare two snapshots. Never rejects. */
  async compare(from: number | null, to: number): Promise<void> {
    const request = ++this._compared;
    this._pair = { from, to };
    this._difference = null;
    this._failure = null;
    this.stateChanged.emit();
    if (from === null) {
      return;
    }
    let difference: IDifference | null = null;
    let failure: unknown = null;
    try {
      difference = await this._client.diff(from, to);
    } catch (error) {
      failure = error;
    }
    if (!this.isDisposed && request === this._compared) {
      this._difference = difference;
      this._failure = failure;
      this.stateChanged.emit();
    }
  }

  /** Take a snapshot now. @throws what SnapshotsClient throws; so does `restore`. */
  async take(): Promise<{ generation: number; created: boolean }> {
    const taken = await this._client.take();
    await this.refresh();
    return taken;
  }

  /** Go back to a snapshot. */
  async restore(generation: number): Promise<IRestored> {
    const restored = await this._client.restore(generation);
    await this.refresh();
    return restored;
  }

  private _snapshots: readonly ISnapshot[] | null = null;
  private _error: unknown = null;
  private _pair: { from: number | null; to: number } | null = null;
  private _difference: IDifference | null = null;
  private _failure: unknown = null;
  private _listed = 0;
  private _compared = 0;
}
