import type { ServerConnection } from '@jupyterlab/services';

import {
  list,
  number,
  numberOrNull,
  record,
  requiredText,
  text,
  textOrNull,
  texts
} from './check';
import { RefusedError, requestJSON } from './request';

/** Whether sessions have a network. */
export type NetworkMode = 'OFF' | 'ON';

/** What lists show of a project. */
export interface IProject {
  readonly id: string;
  readonly prefix: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly activeSessions: number;
  readonly status: 'active' | 'idle' | 'trashed' | 'broken';
  readonly pinned: boolean;

  /** When it goes to the trash, or leaves the trash for good; null for never. ISO 8601. */
  readonly cleanupAt: string | null;
  readonly lastAccessed: string | null;

  /** Bytes on disk as they were last measured; null when they were not. */
  readonly diskBytes: number | null;

  /** Where the file browser finds it; null when its root is outside Jupyter's. */
  readonly contentsPath: string | null;

  /** Whether scripts in its outputs may run in the page. */
  readonly trusted: boolean;

  /** Why the project can't be used; null when it can. */
  readonly brokenReason: string | null;
}

/** One answer of the server. */
export interface IProjectList {
  readonly projects: readonly IProject[];

  /** How many projects there are; the answer may hold fewer. */
  readonly total: number;
}

/**
 * Ask the server for the projects, newest access first; `query` as in docs/rest.md.
 *
 * @throws UnexpectedAnswerError and what `request` throws; so do the others here.
 */
export async function listProjects(
  settings: ServerConnection.ISettings,
  query: { readonly status?: string; readonly limit?: number } = {}
): Promise<IProjectList> {
  const path = ['api', 'projects'];
  const body = record(await requestJSON(settings, { path, query }));
  const projects = list(body.projects, parseProject);
  return { projects, total: numberOrNull(body.total) ?? projects.length };
}

/** A project, also one in the trash; null when there is none of that id. */
export async function findProject(
  settings: ServerConnection.ISettings,
  projectId: string
): Promise<IProject | null> {
  const path = ['api', 'projects', projectId];
  try {
    return parseProject(await requestJSON(settings, { path }));
  } catch (error) {
    if (error instanceof RefusedError && error.status === 404) {
      return null;
    }
    throw error;
  }
}

/** A project as lists and details have it. @throws UnexpectedAnswerError */
export function parseProject(value: unknown): IProject {
  const project = record(value);
  const { status } = project;
  return {
    id: requiredText(project.project_id),
    prefix: text(project.user_prefix),
    description: text(project.description),
    tags: texts(project.tags),
    activeSessions: number(project.active_sessions),
    status:
      status === 'active' || status === 'trashed' || status === 'broken'
        ? status
        : 'idle',
    pinned: project.pinned === true,
    cleanupAt: textOrNull(project.deletion_at) ?? textOrNull(project.cleanup_at),
    lastAccessed: textOrNull(project.last_accessed),
    diskBytes: numberOrNull(project.disk_bytes),
    contentsPath: textOrNull(project.contents_path),
    trusted: project.trusted === true,
    brokenReason: status === 'broken' ? text(project.reason) : null
  };
}
