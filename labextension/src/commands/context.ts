import type { JupyterFrontEnd } from '@jupyterlab/application';
import { InputDialog } from '@jupyterlab/apputils';
import type { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import type { LabIcon } from '@jupyterlab/ui-components';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { guarded } from '../failure';
import type { PanelSettings } from '../model/settings';
import { getDetails } from '../server/details';
import type { IProject } from '../server/projects';
import { listProjects } from '../server/projects';
import type { IProjects } from '../tokens';

/** What the commands stand on. */
export interface ICommandContext {
  readonly app: JupyterFrontEnd;
  readonly projects: IProjects;
  readonly settings: PanelSettings;

  readonly fileBrowser: IDefaultFileBrowser | null;
}

/** A command that is about one project. */
export interface IProjectCommand {
  /** Of a project; undefined when it is not known yet, as in the palette. */
  readonly label: (project: IProject | undefined) => string;
  readonly icon?: LabIcon;

  /** Title of what the user is told when it fails. */
  readonly failed: string;

  /** Which projects it is for; those of which sessions can start if left out. */
  readonly isFor?: (project: IProject) => boolean;

  /** Whether the user is asked for one in the trash. */
  readonly asksForTrashed?: boolean;
  readonly run: (
    project: IProject,
    args: ReadonlyPartialJSONObject
  ) => Promise<void>;
}

/**
 * Add a command whose project is that of `project_id`; with `from: "filebrowser"` the one that the
 * file browser shows; else the user is asked, which is how the palette has it.
 */
export function addProjectCommand(
  context: ICommandContext,
  id: string,
  command: IProjectCommand
): void {
  const { isFor = isUsable } = command;
  context.app.commands.addCommand(id, {
    label: args => {
      const label = command.label(named(context, args));
      return 'project_id' in args || 'from' in args
        ? label
        : context.projects.trans.__('%1…', label.replace(/…$/, ''));
    },
    icon: command.icon,
    describedBy: { args: ARGUMENTS },
    isVisible: args => {
      const project = named(context, args);
      // Without a name the user is asked, and with an unknown one the server is.
      return project === undefined ? args.from === undefined : isFor(project);
    },
    execute: args =>
      guarded(context.projects, command.failed, async () => {
        const project =
          named(context, args) ??
          (typeof args.project_id === 'string'
            ? await getDetails(context.projects.settings, args.project_id)
            : await ask(context, command));
        if (project) {
          await command.run(project, args);
        }
      })
  });
}

/** Whether sessions of the project can start: it is not in the trash and not broken. */
export function isUsable(project: IProject): boolean {
  return project.status === 'active' || project.status === 'idle';
}

const ARGUMENTS = {
  type: 'object',
  properties: {
    project_id: {
      type: 'string',
      description: 'Id of the project; the user is asked when it is missing'
    },
    from: {
      type: 'string',
      enum: ['filebrowser'],
      description: 'Take the project that the file browser shows'
    }
  }
} as const;

function named(
  { fileBrowser, projects: { model } }: ICommandContext,
  args: ReadonlyPartialJSONObject
): IProject | undefined {
  if (typeof args.project_id === 'string') {
    return model.project(args.project_id);
  }
  return args.from === 'filebrowser' && fileBrowser
    ? model.projectAt(fileBrowser.model.path)
    : undefined;
}

/** Ask which project; null when the user does not say. */
async function ask(
  { fileBrowser, projects }: ICommandContext,
  { asksForTrashed = false, isFor = isUsable, label }: IProjectCommand
): Promise<IProject | null> {
  const { model, settings, trans } = projects;
  const status = asksForTrashed ? 'trashed' : undefined;
  const list = await listProjects(settings, { status, limit: 10_000 });
  const candidates = list.projects.filter(isFor);
  if (candidates.length === 0) {
    throw new Error(trans.__('There is no project for this.'));
  }
  const here = model.projectAt(fileBrowser?.model.path ?? '')?.id;
  const current = candidates.findIndex(project => project.id === here);
  const { button, value } = await InputDialog.getItem({
    title: label(undefined).replace(/…$/, ''),
    label: trans.__('Project'),
    items: candidates.map(project => project.id),
    current: Math.max(current, 0)
  });
  const chosen = button.accept ? value : null;
  return candidates.find(project => project.id === chosen) ?? null;
}
