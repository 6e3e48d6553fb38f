import { Dialog, showDialog } from '@jupyterlab/apputils';
import { addIcon } from '@jupyterlab/ui-components';
import { Throttler } from '@lumino/polling';

import { guarded } from '../failure';
import { showWork } from '../progress';
import type { INewProject } from '../server/changes';
import { createProject } from '../server/changes';
import type { IServerEvent } from '../server/events';
import type { IProject } from '../server/projects';
import { listTemplates } from '../server/templates';
import type { ICommandContext } from './context';
import { CommandIDs } from './ids';

/** How often the progress of a clone is shown, in milliseconds. */
const OFTEN = 500;

/** Add the command that makes a new project. */
export function addCreateCommand(context: ICommandContext): void {
  const { commands } = context.app;
  const { trans } = context.projects;
  commands.addCommand(CommandIDs.create, {
    label: args =>
      args.isPalette === true ? trans.__('New Project…') : trans.__('New Project'),
    caption: trans.__('Make a new project, empty, from a template or a repository'),
    icon: addIcon,
    describedBy: { args: {} },
    execute: () =>
      guarded(context.projects, trans.__('The project could not be created'), async () => {
        const project = await ask(context);
        if (project) {
          create(context, project);
        }
      })
  });
}

/** Ask what the project is to be; null when the user does not say. */
async function ask(context: ICommandContext): Promise<INewProject | null> {
  const { settings, trans } = context.projects;
  const { CreateBody } = await import('../dialogs');
  const { button, value } = await showDialog({
    title: trans.__('New Project'),
    body: new CreateBody({
      templates: await listTemplates(settings),
      template: context.settings.defaultTemplate,
      network: context.settings.defaultNetwork,
      trans
    }),
    buttons: [Dialog.cancelButton(), Dialog.okButton({ label: trans.__('Create') })]
  });
  return button.accept && value ? CreateBody.project(value) : null;
}

/** Make it, and tell how far that is. */
function create(context: ICommandContext, project: INewProject): void {
  const { events, settings, trans } = context.projects;
  const { repo_url, user_prefix } = project;
  const work = createProject(settings, project);
  const progress = showWork(
    work,
    {
      pending: repo_url
        ? trans.__('%1: cloning the repository…', user_prefix)
        : trans.__('%1: creating the project…', user_prefix),
      done: ({ id }) => trans.__('%1 was created.', id),
      actions: [openAction(context)],
      failed: trans.__('The project could not be created')
    },
    trans
  );
  const telling = new Throttler(
    (detail: string) => {
      progress.tell(trans.__('%1: %2', user_prefix, detail));
    },
    { limit: OFTEN, edge: 'trailing' }
  );
  const listen = (_: unknown, { data, noun }: IServerEvent): void => {
    if (noun === 'progress' && data.user_prefix === user_prefix) {
      void telling.invoke(String(data.detail));
    }
  };
  events.happened.connect(listen);
  const stop = (): void => {
    events.happened.disconnect(listen);
    telling.dispose();
  };
  work.then(stop, stop);
}

/** What can be done with a project that is new. */
export function openAction(context: ICommandContext): {
  readonly label: string;
  readonly run: (project: IProject) => void;
} {
  const { app, projects } = context;
  return {
    label: projects.trans.__('Open'),
    run: ({ id }) => {
      void app.commands.execute(CommandIDs.open, { project_id: id });
    }
  };
}
