import type { ServerConnection } from '@jupyterlab/services';

import {
  list,
  numberOrNull,
  record,
  requiredText,
  text,
  textOrNull
} from './check';
import type { NetworkMode } from './projects';
import { requestJSON } from './request';

/** One use of a project: a kernel in its container. */
export interface ISession {
  /** The same as that of its kernel. */
  readonly id: string;
  readonly projectId: string;

  /** `docker`, `bubblewrap` or `process`. */
  readonly runtime: string;
  readonly isIsolated: boolean;
  readonly networkMode: NetworkMode;

  /** Null for a runtime without images. */
  readonly image: string | null;

  /** Where the file browser finds the project; null when its root is outside Jupyter's. */
  readonly contentsPath: string | null;
  readonly startedAt: string;

  /** Null while it lives. */
  readonly endedAt: string | null;

  /** Why it ended, and one sentence more where something is known. */
  readonly reason: string | null;
  readonly detail: string | null;
}

/** What a session takes of the machine; null where that is not known. */
export interface ISessionUsage {
  readonly memoryBytes: number | null;
  readonly memoryLimitBytes: number | null;

  /** All that it has had so far. */
  readonly cpuSeconds: number | null;
}

/** The live sessions of all projects, and the last ones that ended. @throws as `listProjects`. */
export async function listSessions(
  settings: ServerConnection.ISettings
): Promise<ISession[]> {
  const path = ['api', 'projects', 'sessions'];
  const body = record(await requestJSON(settings, { path }));
  return list(body.sessions, parseSession);
}

/** What a session uses now. @throws as `listProjects`. */
export async function getSessionUsage(
  settings: ServerConnection.ISettings,
  session: ISession
): Promise<ISessionUsage> {
  const path = [...pathOf(session), 'usage'];
  const usage = record(await requestJSON(settings, { path }));
  return {
    memoryBytes: numberOrNull(usage.memory_bytes),
    memoryLimitBytes: numberOrNull(usage.memory_limit_bytes),
    cpuSeconds: numberOrNull(usage.cpu_seconds)
  };
}

/** End a session, and its kernel with it. @throws as `listProjects`. */
export async function shutDownSession(
  settings: ServerConnection.ISettings,
  session: ISession
): Promise<void> {
  await requestJSON(settings, { method: 'DELETE', path: pathOf(session) });
}

function pathOf({ id, projectId }: ISession): string[] {
  return ['api', 'projects', projectId, 'sessions', id];
}

/** What the server says of a session. @throws `UnexpectedAnswerError` */
export function parseSession(value: unknown): ISession {
  const session = record(value);
  return {
    id: requiredText(session.session_id),
    projectId: requiredText(session.project_id),
    runtime: text(session.runtime),
    isIsolated: session.isolated === true,
    networkMode: session.network_mode === 'ON' ? 'ON' : 'OFF',
    image: textOrNull(session.container_image),
    contentsPath: textOrNull(session.contents_path),
    startedAt: requiredText(session.started_at),
    endedAt: textOrNull(session.ended_at),
    reason: textOrNull(session.reason),
    detail: textOrNull(session.detail)
  };
}
