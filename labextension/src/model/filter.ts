import type { IProject } from '../server/projects';

/** What kind of projects is shown. */
export const SHOWN = ['all', 'active', 'idle', 'pinned', 'trashed'] as const;

/** One of `SHOWN`. */
export type Shown = (typeof SHOWN)[number];

/** Which projects are shown. */
export interface IFilter {
  readonly shown: Shown;

  /** Words, each of which has to be somewhere in the name, the description or a tag. */
  readonly search: string;

  /** A tag that a project must have; null for any. */
  readonly tag: string | null;
}

/** The filter that shows all but the trash. */
export const ALL: IFilter = { shown: 'all', search: '', tag: null };

/** The projects that the filter lets through, in their order. */
export function select(
  projects: readonly IProject[],
  filter: IFilter
): readonly IProject[] {
  const words = filter.search.toLowerCase().split(/\s+/).filter(Boolean);
  return projects.filter(
    project =>
      isShown(project, filter.shown) &&
      (filter.tag === null || project.tags.includes(filter.tag)) &&
      hasWords(project, words)
  );
}

/** Every tag that a project has, in order of the alphabet. */
export function tagsOf(projects: readonly IProject[]): readonly string[] {
  return [...new Set(projects.flatMap(project => project.tags))].sort((a, b) =>
    a.localeCompare(b)
  );
}

function isShown(project: IProject, shown: Shown): boolean {
  switch (shown) {
    case 'pinned':
      return project.pinned;
    case 'active':
    case 'idle':
      return project.status === shown;
    default:
      return true;
  }
}

function hasWords(project: IProject, words: readonly string[]): boolean {
  if (words.length === 0) {
    return true;
  }
  const { id, description, tags } = project;
  const text = [id, description, ...tags].join('\n').toLowerCase();
  return words.every(word => text.includes(word));
}
