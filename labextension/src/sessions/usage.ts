import type { ServerConnection } from '@jupyterlab/services';

import type { ISession, ISessionUsage } from '../server/sessions';
import { getSessionUsage } from '../server/sessions';

/** What is shown of a session's use of the machine; null where it is not known. */
export interface IShownUsage {
  readonly memoryBytes: number | null;
  readonly memoryLimitBytes: number | null;

  /** In CPUs, from the two last readings; 1.5 is one and a half. */
  readonly cpus: number | null;
}

interface IReading {
  readonly time: number;
  readonly usage: ISessionUsage;
}

/** Reads what sessions use. Nothing is read but by `read`. */
export class UsageReader {
  constructor(
    private readonly _settings: ServerConnection.ISettings,
    private readonly _now = (): number => performance.now()
  ) {}

  /** Read of these sessions, and forget the others. Never rejects. */
  async read(sessions: readonly ISession[]): Promise<void> {
    const read = await Promise.all(
      sessions.map(async session => {
        try {
          const usage = await getSessionUsage(this._settings, session);
          return [session.id, { time: this._now(), usage }] as const;
        } catch {
          return null; // it has just ended, or the server is away: nothing is shown then
        }
      })
    );
    this._before = this._last;
    this._last = new Map(read.filter(entry => entry !== null));
  }

  /** What was read last of a session. */
  of(sessionId: string): IShownUsage | null {
    const last = this._last.get(sessionId);
    if (!last) {
      return null;
    }
    const before = this._before.get(sessionId);
    const { cpuSeconds, memoryBytes, memoryLimitBytes } = last.usage;
    const used = before?.usage.cpuSeconds ?? null;
    let cpus = null;
    // After a restart of the kernel the count begins anew.
    if (before && used !== null && cpuSeconds !== null && cpuSeconds >= used) {
      cpus = ((cpuSeconds - used) * 1000) / (last.time - before.time);
    }
    return { memoryBytes, memoryLimitBytes, cpus };
  }

  private _last = new Map<string, IReading>();
  private _before = new Map<string, IReading>();
}
