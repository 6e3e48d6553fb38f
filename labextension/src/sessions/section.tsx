import type { Kernel, ServerConnection, Session } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import { Poll } from '@lumino/polling';
import * as React from 'react';

import { describe } from '../failure';
import { NotEnabledError } from '../server/request';
import type { SessionsModel } from './model';
import type { ISessionActions } from './row';
import { EndedSession, LiveSession } from './row';
import { UsageReader } from './usage';
import { purposeInWords } from './words';

/** How often what sessions use is read while it is seen, in milliseconds. */
const INTERVAL = 5000;

/** The section of the sidebar panel with the sessions of all projects. */
export class SessionsSection extends ReactWidget {
  constructor(private readonly _options: SessionsSection.IOptions) {
    super();
    const { kernels, documents, sessions, settings, trans } = _options;
    this.addClass('jp-CognitionSessions');
    this.title.label = trans.__('Sessions');
    this._usage = new UsageReader(settings);
    this._poll = new Poll({
      auto: false,
      factory: async () => {
        await this._usage.read(this._live());
        this.update();
      },
      frequency: { interval: INTERVAL, backoff: false },
      standby: () => (this.isVisible ? 'when-hidden' : true)
    });
    sessions.stateChanged.connect(this._onSessions, this);
    kernels.runningChanged.connect(this.update, this);
    documents.runningChanged.connect(this.update, this);
  }

  override dispose(): void {
    this._poll.dispose();
    super.dispose();
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this._readNow();
  }

  protected override render(): React.JSX.Element {
    const { actions, documents, sessions, trans } = this._options;
    const { error } = sessions;
    const live = this._live();
    const ended = (sessions.sessions ?? []).filter(one => one.endedAt !== null);
    return (
      <>
        {/* The list of projects says what to do where there is no server part. */}
        {error !== null && !(error instanceof NotEnabledError) && (
          <p role="alert" className="jp-CognitionProjects-error">
            {describe(error, trans)}
          </p>
        )}
        {live.length === 0 && (
          <p className="jp-CognitionProjects-note">{trans.__('No live sessions.')}</p>
        )}
        <ul role="list" aria-label={trans.__('Live sessions')}>
          {live.map(session => (
            <LiveSession
              key={session.id}
              session={session}
              purpose={purposeInWords(session, documents.running(), Date.now(), trans)}
              state={this._stateOf(session.id)}
              usage={this._usage.of(session.id)}
              actions={actions}
              trans={trans}
            />
          ))}
        </ul>
        {ended.length > 0 && (
          <>
            <h3>{trans.__('Ended recently')}</h3>
            <ul role="list" aria-label={trans.__('Sessions that ended recently')}>
              {ended.map(session => (
                <EndedSession key={session.id} session={session} trans={trans} />
              ))}
            </ul>
          </>
        )}
      </>
    );
  }

  private _live(): SessionsSection.Sessions {
    return (this._options.sessions.sessions ?? []).filter(
      session => session.endedAt === null
    );
  }

  private _stateOf(kernelId: string): string {
    const { kernels, trans } = this._options;
    for (const { execution_state, id } of kernels.running()) {
      if (id === kernelId) {
        return execution_state === 'busy' ? trans.__('busy') : trans.__('idle');
      }
    }
    return trans.__('starting');
  }

  private _onSessions(): void {
    this.update();
    this._readNow();
    // Lab's lists, which say states and names, are refreshed every ten seconds only.
    void this._options.kernels.refreshRunning();
    void this._options.documents.refreshRunning();
  }

  private _readNow(): void {
    if (this.isVisible) {
      void this._poll.refresh();
    }
  }

  private readonly _usage: UsageReader;
  private readonly _poll: Poll;
}

/** A namespace for `SessionsSection` statics. */
export namespace SessionsSection {
  /** Some sessions. */
  export type Sessions = NonNullable<SessionsModel['sessions']>;

  /** The options of `SessionsSection`. */
  export interface IOptions {
    readonly sessions: SessionsModel;
    readonly kernels: Kernel.IManager;

    /** Which notebooks and consoles have which kernel: what Jupyter calls sessions. */
    readonly documents: Session.IManager;
    readonly settings: ServerConnection.ISettings;
    readonly actions: ISessionActions;
    readonly trans: TranslationBundle;
  }
}
