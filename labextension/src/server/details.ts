import type { ServerConnection } from '@jupyterlab/services';

import { list, number, record, requiredText, textOrNull } from './check';
import type { IProject, NetworkMode } from './projects';
import { parseProject } from './projects';
import { requestJSON } from './request';
import type { ISession } from './sessions';
import { parseSession } from './sessions';

/** All that the server knows of a project. */
export interface IDetails extends IProject {
  readonly createdAt: string;
  readonly networkMode: NetworkMode;

  /** Null for the server's default. */
  readonly image: string | null;
  readonly repoUrl: string | null;
  readonly template: string | null;
  readonly agentModel: string | null;
  readonly keepsPackages: boolean;
  readonly cleanupAfterDays: number;
  readonly messages: number;
  readonly filesModified: number;
  readonly testsRun: number;

  /** Newest first. */
  readonly sessions: readonly ISession[];
}

/** Ask for all of a project, also of one in the trash. @throws as `listProjects`. */
export async function getDetails(
  settings: ServerConnection.ISettings,
  projectId: string
): Promise<IDetails> {
  const path = ['api', 'projects', projectId];
  const details = record(await requestJSON(settings, { path }));
  const config = record(details.config);
  const statistics = record(details.statistics);
  const sessions = list(details.sessions, parseSession);
  return {
    ...parseProject(details),
    createdAt: requiredText(details.created_at),
    networkMode: details.network_mode === 'ON' ? 'ON' : 'OFF',
    image: textOrNull(config.container_image),
    repoUrl: textOrNull(config.repo_url),
    template: textOrNull(config.template),
    agentModel: textOrNull(config.agent_model),
    keepsPackages: config.keep_packages === true,
    cleanupAfterDays: number(details.cleanup_after_days),
    messages: number(statistics.total_messages),
    filesModified: number(statistics.files_modified),
    testsRun: number(statistics.tests_run),
    sessions: sessions.sort((a, b) => (a.startedAt < b.startedAt ? 1 : -1))
  };
}

/** One session, live or ended. @throws as `listProjects`. */
export async function getSession(
  settings: ServerConnection.ISettings,
  projectId: string,
  sessionId: string
): Promise<ISession> {
  const path = ['api', 'projects', projectId, 'sessions', sessionId];
  return parseSession(await requestJSON(settings, { path }));
}
