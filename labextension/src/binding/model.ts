import type { ISessionContext } from '@jupyterlab/apputils';
import type { ServerConnection } from '@jupyterlab/services';
import { Poll } from '@lumino/polling';

import { StateModel } from '../model/state';
import type { IServerEvent, ServerEvents } from '../server/events';
import type { ISession } from '../server/sessions';
import { getLastSnapshot } from '../server/saved';
import type { SessionsModel } from '../sessions/model';
import type { TrustModel } from '../trust/model';

/** The view in front, where it can have a kernel. */
export interface IBoundView {
  readonly path: string;
  readonly sessionContext: ISessionContext;
}

/** What the status bar says of the view in front: its project, its session, its memory. */
export class BindingModel extends StateModel {
  constructor(
    private readonly _settings: ServerConnection.ISettings,
    events: ServerEvents,
    private readonly _sessions: SessionsModel,
    private readonly _trust: TrustModel
  ) {
    super();
    this._sessions.stateChanged.connect(this.update, this);
    this._trust.changed.connect(this.update, this);
    events.happened.connect(this._onEvent, this);
    events.connected.connect(this._refresh, this);
    // Only the age in words; hidden pages and other views do not need it.
    this._clock = new Poll({
      auto: false,
      factory: () => {
        this.stateChanged.emit();
        return Promise.resolve();
      },
      frequency: { interval: 1000, backoff: false },
      standby: () => (this._savedAt === null ? true : 'when-hidden')
    });
  }

  /** Null for a view of no project, and where there is no view. */
  get projectId(): string | null {
    return this._projectId;
  }

  /** The session of the view's kernel. */
  get session(): ISession | undefined {
    return this._session;
  }

  /** When the project's hot memory was saved last; null for never. ISO 8601. */
  get savedAt(): string | null {
    return this._savedAt;
  }

  /** Show another view. */
  follow(view: IBoundView | null): void {
    this._view?.sessionContext.kernelChanged.disconnect(this.update, this);
    this._view?.sessionContext.propertyChanged.disconnect(this.update, this);
    this._view = view;
    view?.sessionContext.kernelChanged.connect(this.update, this);
    view?.sessionContext.propertyChanged.connect(this.update, this);
    this.update();
  }

  /** Look again. */
  update(): void {
    const kernel = this._view?.sessionContext.session?.kernel;
    const session = kernel ? this._sessions.ofKernel(kernel.id) : undefined;
    this._session = session?.endedAt === null ? session : undefined;
    const project = this._view ? this._trust.projectOf(this._view.path) : null;
    const projectId = session?.projectId ?? project?.id ?? null;
    if (projectId !== this._projectId) {
      this._projectId = projectId;
      this._savedAt = null;
      this._refresh();
    }
    this.stateChanged.emit();
  }

  override dispose(): void {
    this._clock.dispose();
    super.dispose();
  }

  private _refresh(): void {
    void this._load();
  }

  private async _load(): Promise<void> {
    const projectId = this._projectId;
    if (projectId === null) {
      return;
    }
    let savedAt: string | null;
    try {
      savedAt = await getLastSnapshot(this._settings, projectId);
    } catch {
      return; // what was known stays; the next event or connection asks again
    }
    if (projectId === this._projectId) {
      this._savedAt = savedAt;
      if (savedAt !== null) {
        void this._clock.start();
      }
      this.stateChanged.emit();
    }
  }

  private _onEvent(_: ServerEvents, { noun, projectId }: IServerEvent): void {
    if (noun === 'memory' && projectId === this._projectId) {
      this._refresh();
    }
  }

  private readonly _clock: Poll;
  private _view: IBoundView | null = null;
  private _projectId: string | null = null;
  private _session: ISession | undefined;
  private _savedAt: string | null = null;
}
