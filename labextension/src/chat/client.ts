import { ServerConnection } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import { Backoff } from '../model/backoff';
import type { JSONRecord } from '../server/check';
import { isRecord, number, numberOrNull, text, textOrNull } from '../server/check';
import { getSession } from '../server/details';
import { getEvents } from '../server/journal';
import { asError, NotEnabledError, RefusedError } from '../server/request';
import { ConversationSocket } from './socket';

/**
 * `off`: no session, or one that has ended; nothing is connected. `starting`: the server makes a
 * session. `joining`: a live one is joined and its past read. `live`. `lost`: the connection was
 * cut; it is tried again.
 */
export type ClientState = 'off' | 'starting' | 'joining' | 'live' | 'lost';

/** Milliseconds before the first new attempt. */
const FIRST_PAUSE = 500;

/**
 * A client of `/ws` in one session of a project.
 *
 * However often the connection is cut: each event of the session is received once, in order, and
 * none is missed. A session that ended meanwhile is read to its end, and not started again by that:
 * a container is started only when the user asks for something.
 */
export class ConversationClient implements IDisposable {
  constructor(
    private readonly _settings: ServerConnection.ISettings,
    private readonly _projectId: string,
    firstPause = FIRST_PAUSE
  ) {
    this._backoff = new Backoff(firstPause, () => void this._return());
  }

  /** Emitted for each event, also those without a number. */
  get received(): ISignal<this, JSONRecord> {
    return this._received;
  }

  /** Emitted when the journal does not go back far enough: what comes now is a new beginning. */
  get beganAnew(): ISignal<this, void> {
    return this._beganAnew;
  }

  /** Emitted when something failed and is not tried again; the state is `off` then. */
  get failed(): ISignal<this, Error> {
    return this._failed;
  }

  /** Emitted when `state` or `sessionId` have changed. */
  get stateChanged(): ISignal<this, void> {
    return this._stateChanged;
  }

  get state(): ClientState {
    return this._state;
  }

  /** The session that this is about; null before there is one. */
  get sessionId(): string | null {
    return this._sessionId;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    this._disconnect();
    Signal.clearData(this);
  }

  /** Leave the session, which goes on without us, and be about none. */
  leave(): void {
    this._disconnect();
    this._sessionId = null;
    this._seen = 0;
    this._setState('off');
  }

  /** Begin with a session: its past is read, and if it lives, it is joined. */
  async open(sessionId: string): Promise<void> {
    this.leave();
    this._sessionId = sessionId;
    this._setState('joining');
    await this._return();
  }

  /** Start a session: the one that we are about again, in a fresh container, or else a new one. */
  start(): void {
    if (this._state === 'off') {
      this._setState('starting');
      this._connect();
    }
  }

  /** Send a message of a type for the session. @throws Error unless `live`. */
  send(type: 'user_msg' | 'cancel' | 'close_session', fields: JSONRecord = {}): void {
    if (this._state !== 'live' || !this._socket) {
      throw new Error('There is no connection to the session.');
    }
    this._socket.send({ type, session_id: this._sessionId, ...fields });
  }

  /** Try at once, and not only after the pause. */
  retry(): void {
    this._backoff.now();
  }

  private _connect(): void {
    this._socket?.dispose();
    this._socket = new ConversationSocket(this._settings, {
      onOpen: () => {
        this._socket?.send({
          type: 'create_session',
          project_id: this._projectId,
          ...(this._sessionId !== null && { session_id: this._sessionId }),
          ...(this._sessionId !== null &&
            this._seen !== null && { since: this._seen })
        });
      },
      onEvent: event => {
        this._onEvent(event);
      },
      onLost: () => {
        this._onLost();
      }
    });
  }

  private _onLost(): void {
    this._socket = null;
    if (this._sessionId === null) {
      this._fail(new Error('The connection was lost before the session had started.'));
      return;
    }
    this._setState('lost');
    this._backoff.later();
  }

  /** Join the session if it lives; read it to its end if not. */
  private async _return(): Promise<void> {
    const visit = ++this._visit;
    const sessionId = this._sessionId ?? '';
    try {
      const { endedAt, reason } = await getSession(
        this._settings,
        this._projectId,
        sessionId
      );
      if (visit !== this._visit) {
        return;
      }
      if (endedAt === null) {
        this._connect();
        return;
      }
      await this._readAll(visit, sessionId);
      if (visit === this._visit) {
        // A server that was killed could not write this into the journal.
        this._received.emit({ event: 'session_ended', time: endedAt, reason });
        this._backoff.reset();
        this._setState('off');
      }
    } catch (error) {
      if (visit === this._visit) {
        this._notReturned(error);
      }
    }
  }

  private async _readAll(visit: number, sessionId: string): Promise<void> {
    let lastSeq = Infinity;
    while (visit === this._visit && (this._seen ?? 0) < lastSeq) {
      const since = this._seen ?? 0;
      const piece = await getEvents(
        this._settings,
        this._projectId,
        sessionId,
        since
      );
      if (visit !== this._visit || piece.events.length === 0) {
        return;
      }
      lastSeq = piece.lastSeq;
      piece.events.filter(isRecord).forEach(event => {
        this._receive(event);
      });
    }
  }

  private _notReturned(error: unknown): void {
    if (
      error instanceof ServerConnection.NetworkError ||
      // Not our server's: it starts just now, or a proxy speaks in its place.
      error instanceof NotEnabledError ||
      (error instanceof RefusedError && error.status >= 500)
    ) {
      this._setState('lost');
      this._backoff.later();
    } else if (error instanceof RefusedError && error.code === 'events_gone') {
      this._begin();
      this._fail(error);
    } else {
      this._fail(asError(error));
    }
  }

  private _onEvent(event: JSONRecord): void {
    const seq = numberOrNull(event.seq);
    if (seq === null) {
      this._onUnnumbered(event);
      return;
    }
    this._receive(event);
    if (this._state === 'starting' && event.event === 'session_started') {
      this._sessionId = textOrNull(event.session_id);
      this._arrived();
    } else if (this._state === 'joining' || this._state === 'lost') {
      if (seq >= this._newest) {
        this._arrived();
      }
    }
    // One of the past is followed by the session's next start.
    if (event.event === 'session_ended' && this._state === 'live') {
      this._disconnect();
      this._setState('off');
    }
  }

  private _onUnnumbered(event: JSONRecord): void {
    const { code, event: name } = event;
    if (name === 'ping') {
      return;
    }
    if (name === 'session_started') {
      // We have joined: after what is still to be read, we are at the present.
      this._newest = number(event.last_seq);
      if (this._seen === null || this._seen >= this._newest) {
        this._arrived();
      } else {
        this._setState('joining');
      }
      return;
    }
    if (name === 'session_ended') {
      this._received.emit(event);
      this._disconnect();
      this._setState('off');
      return;
    }
    if (name === 'error' && code === 'events_gone') {
      this._begin();
      this._connect();
      return;
    }
    if (name === 'error' && this._state !== 'live') {
      this._fail(new RefusedError(text(event.message), 0, text(code)));
      return;
    }
    if (name !== 'agent_ready') {
      this._received.emit(event);
    }
  }

  private _receive(event: JSONRecord): void {
    const seq = number(event.seq);
    if (this._seen === null || seq > this._seen) {
      this._seen = seq;
      this._received.emit(event);
    }
  }

  /** Go on with whatever comes next. */
  private _begin(): void {
    this._seen = null;
    this._beganAnew.emit();
  }

  private _arrived(): void {
    this._backoff.reset();
    this._newest = 0;
    this._setState('live');
  }

  private _fail(error: Error): void {
    this._disconnect();
    this._setState('off');
    this._failed.emit(error);
  }

  private _disconnect(): void {
    this._visit += 1;
    this._backoff.reset();
    this._socket?.dispose();
    this._socket = null;
  }

  private _setState(state: ClientState): void {
    this._state = state;
    if (!this._isDisposed) {
      this._stateChanged.emit();
    }
  }

  private readonly _backoff: Backoff;
  private readonly _received = new Signal<this, JSONRecord>(this);
  private readonly _beganAnew = new Signal<this, void>(this);
  private readonly _failed = new Signal<this, Error>(this);
  private readonly _stateChanged = new Signal<this, void>(this);
  private _state: ClientState = 'off';
  private _sessionId: string | null = null;

  /** Number of the last event received; null when any may be the next. */
  private _seen: number | null = 0;

  /** Number of the newest event when we joined. */
  private _newest = 0;
  private _socket: ConversationSocket | null = null;

  /** Changes when what is under way does not count any more. */
  private _visit = 0;
  private _isDisposed = false;
}
