import type { ServerConnection } from '@jupyterlab/services';

import { list, number, record, requiredText } from './check';
import { requestJSON } from './request';

/** What happened on a day of UTC. */
export interface IDay {
  /** Such as `2026-11-24`. */
  readonly date: string;

  /** Sessions that began. */
  readonly sessions: number;

  /** Of all sessions, live ones until now. */
  readonly seconds: number;
  readonly messages: number;
}

/** What a part of a project takes on disk; at least so much when `isComplete` is false. */
export interface IDiskPart {
  /** `repo`, `deps`, `persistent_memory`, `snapshots`, `logs`, `agent`. */
  readonly name: string;
  readonly bytes: number;
  readonly isComplete: boolean;
}

/** Size of hot memory in a snapshot. */
export interface IMemorySize {
  readonly generation: number;
  readonly takenAt: string;
  readonly files: number;
  readonly bytes: number;
}

/** What a project is used for, and what it takes; docs/rest.md says more. */
export interface IUsage {
  /** Days on which something happened, oldest first. */
  readonly days: readonly IDay[];

  /** Since the project was made; time of sessions that have ended. */
  readonly totals: Omit<IDay, 'date'>;
  readonly disk: {
    readonly bytes: number;
    readonly isComplete: boolean;
    readonly measuredAt: string;
    readonly parts: readonly IDiskPart[];
  };

  /** Oldest first. */
  readonly memory: readonly IMemorySize[];
}

/** Ask for the use of a project. @throws as `listProjects`. */
export async function getUsage(
  settings: ServerConnection.ISettings,
  projectId: string
): Promise<IUsage> {
  const path = ['api', 'projects', projectId, 'usage'];
  const usage = record(await requestJSON(settings, { path }));
  const disk = record(usage.disk);
  return {
    days: list(usage.days, parseDay),
    totals: counts(usage.totals),
    disk: {
      bytes: number(disk.bytes),
      isComplete: disk.complete === true,
      measuredAt: requiredText(disk.measured_at),
      parts: Object.entries(record(disk.parts)).map(parsePart)
    },
    memory: list(usage.memory, parseMemorySize)
  };
}

function parseDay(value: unknown): IDay {
  return { date: requiredText(record(value).date), ...counts(value) };
}

function counts(value: unknown): Omit<IDay, 'date'> {
  const { sessions, seconds, messages } = record(value);
  return {
    sessions: number(sessions),
    seconds: number(seconds),
    messages: number(messages)
  };
}

function parsePart([name, value]: [string, unknown]): IDiskPart {
  const part = record(value);
  return {
    name,
    bytes: number(part.bytes),
    isComplete: part.complete === true
  };
}

function parseMemorySize(value: unknown): IMemorySize {
  const size = record(value);
  return {
    generation: number(size.generation),
    takenAt: requiredText(size.taken_at),
    files: number(size.files),
    bytes: number(size.bytes)
  };
}
