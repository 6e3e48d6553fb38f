import type { ServerConnection } from '@jupyterlab/services';

import { Conversation } from '../conversation/model';
import { StateModel } from '../model/state';
import type { JSONRecord } from '../server/check';
import { text } from '../server/check';
import type { ISession } from '../server/sessions';
import { getDetails } from '../server/details';
import type { IServerEvent, ServerEvents } from '../server/events';
import { asError } from '../server/request';
import type { ClientState } from './client';
import { ConversationClient } from './client';
import { saidIn } from './history';
import type { IPending } from './pending';
import { PendingMessages } from './pending';

/** A project's chat: which session it is in, what was said, and what waits to be. */
export class ChatModel extends StateModel {
  constructor(
    private readonly _settings: ServerConnection.ISettings,
    events: ServerEvents,
    readonly projectId: string,
    firstPause?: number
  ) {
    super();
    this._client = new ConversationClient(_settings, projectId, firstPause);
    this._client.received.connect(this._onReceived, this);
    this._client.beganAnew.connect(this._onBeganAnew, this);
    this._client.failed.connect(this._onFailed, this);
    this._client.stateChanged.connect(this._onClientChanged, this);
    this._conversation.stateChanged.connect(this._changed, this);
    events.happened.connect(this._onEvent, this);
    events.connected.connect(this._onConnected, this);
    void this.refresh();
  }

  /** The session's conversation; another one after a change of sessions. */
  get conversation(): Conversation {
    return this._conversation;
  }

  /** The user's messages whose turns have not begun. */
  get pending(): readonly IPending[] {
    return this._pending.all;
  }

  /** Whether there is a connection, and what is done about it. */
  get state(): ClientState {
    return this._client.state;
  }

  /** The session that is shown; null for the choice of one. */
  get sessionId(): string | null {
    return this._client.sessionId;
  }

  /** The project's sessions, newest first; null before they are known. */
  get sessions(): readonly ISession[] | null {
    return this._sessions;
  }

  /** Whether outputs may run scripts. */
  get trusted(): boolean {
    return this._trusted;
  }

  /** What failed last, until something else is done. */
  get error(): Error | null {
    return this._error ?? (this._sessions ? null : this._unknown);
  }

  /** What is being written. */
  get draft(): string {
    return this._draft;
  }
  set draft(draft: string) {
    this._draft = draft;
    this._changed();
  }

  /** Whether a message could be sent now; a session is started for it if there is none. */
  get canSend(): boolean {
    return this.state === 'live' || this.state === 'off';
  }

  /** Whether there is a turn to cancel. */
  get canCancel(): boolean {
    return this.state === 'live' && this._conversation.isWorking;
  }

  /** What was said before, oldest first, to be said again. */
  get history(): readonly string[] {
    return saidIn(this._conversation.entries, this.pending);
  }

  override dispose(): void {
    this._client.dispose();
    this._conversation.dispose();
    super.dispose();
  }

  /** Show a session, and be in it if it lives. */
  async open(sessionId: string): Promise<void> {
    this._forget();
    await this._client.open(sessionId);
  }

  /** Go back to the choice of a session; the one that was shown goes on. */
  leave(): void {
    this._forget();
    this._client.leave();
    void this.refresh();
  }

  /** Send what was written. Only where `canSend`. */
  send(): void {
    const content = this._draft;
    this._draft = '';
    this._error = null;
    if (this.state === 'live') {
      this._deliver(content);
    } else {
      this._pending.add(content, 'unsent');
      this._client.start();
    }
    this._changed();
  }

  /** Cancel the turn that runs. Those that wait for theirs get none. */
  cancel(): void {
    this._isCancelling = true;
    this._client.send('cancel');
  }

  /** End the session. */
  close(): void {
    this._client.send('close_session');
  }

  /** Connect again at once. */
  retry(): void {
    this._client.retry();
  }

  /** Write a message again that waits or was refused. */
  takeBack(key: number): void {
    const content = this._pending.remove(key) ?? '';
    this.draft = this._draft ? `${content}\n${this._draft}` : content;
  }

  /** Ask for what the choice of sessions shows, and for trust. Never rejects. */
  async refresh(): Promise<void> {
    const request = ++this._lastRequest;
    try {
      const { sessions, trusted } = await getDetails(this._settings, this.projectId);
      if (request === this._lastRequest && !this.isDisposed) {
        this._sessions = sessions;
        this._trusted = trusted;
        this._changed();
      }
    } catch (error) {
      if (request === this._lastRequest && !this.isDisposed) {
        this._unknown = asError(error);
        this._changed();
      }
    }
  }

  private _deliver(content: string): void {
    this._client.send('user_msg', { content });
    this._pending.add(content, 'waiting');
  }

  private _onReceived(_: ConversationClient, event: JSONRecord): void {
    switch (event.event) {
      case 'user_message':
        this._pending.begun(text(event.content));
        break;
      case 'tool_start':
        // Code is not told as a message.
        if (event.tool === 'python') {
          this._pending.begun(text(event.input));
        }
        break;
      case 'error':
        if (event.code === 'cancelled') {
          this._pending.change(['waiting', 'unconfirmed'], 'refused');
        } else if (event.seq === undefined) {
          this._pending.refuseLast();
        }
        break;
      case 'done':
        if (this._isCancelling) {
          this._isCancelling = false;
          this._pending.change(['waiting', 'unconfirmed'], 'refused');
        }
        break;
    }
    this._conversation.push(event);
  }

  private _onBeganAnew(): void {
    this._renewConversation();
    this._changed();
  }

  private _onFailed(_: ConversationClient, error: Error): void {
    this._error = error;
    this._changed();
  }

  private _onClientChanged(): void {
    switch (this.state) {
      case 'live': {
        const unsent = this.pending.filter(({ state }) => state === 'unsent');
        for (const { key, content } of unsent) {
          this._pending.remove(key);
          this._deliver(content);
        }
        break;
      }
      case 'lost':
        this._pending.change(['waiting'], 'unconfirmed');
        break;
      case 'off':
        this._isCancelling = false;
        this._pending.change(['unsent', 'waiting', 'unconfirmed'], 'refused');
        break;
    }
    this._changed();
  }

  private _onEvent(_: ServerEvents, event: IServerEvent): void {
    if (
      event.projectId === this.projectId &&
      (event.noun === 'project' || event.noun === 'session')
    ) {
      void this.refresh();
    }
  }

  private _onConnected(): void {
    this.retry();
    void this.refresh();
  }

  /** Nothing of a session is left. */
  private _forget(): void {
    this._error = null;
    this._isCancelling = false;
    this._pending = new PendingMessages();
    this._renewConversation();
  }

  private _renewConversation(): void {
    this._conversation.dispose();
    this._conversation = new Conversation();
    this._conversation.stateChanged.connect(this._changed, this);
  }

  private _changed(): void {
    this.stateChanged.emit();
  }

  private readonly _client: ConversationClient;
  private _conversation = new Conversation();
  private _pending = new PendingMessages();
  private _sessions: readonly ISession[] | null = null;
  private _trusted = false;
  private _error: Error | null = null;

  /** Why the sessions are not known. */
  private _unknown: Error | null = null;
  private _draft = '';
  private _isCancelling = false;
  private _lastRequest = 0;
}
