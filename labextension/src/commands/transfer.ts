import { PromiseDelegate } from '@lumino/coreutils';
import { downloadIcon, fileUploadIcon } from '@jupyterlab/ui-components';

import { sizeInWords } from '../model/words';
import { showWork } from '../progress';
import { downloadArchive, importArchive, NoArchiveError } from '../server/archive';
import type { IServerEvent } from '../server/events';
import type { ICommandContext } from './context';
import { addProjectCommand } from './context';
import { openAction } from './create';
import { CommandIDs } from './ids';

/** Add the commands that take projects out as archives and bring them in. */
export function addTransferCommands(context: ICommandContext): void {
  const { commands } = context.app;
  const { trans } = context.projects;

  addProjectCommand(context, CommandIDs.exportArchive, {
    label: () => trans.__('Export Project'),
    icon: downloadIcon,
    failed: trans.__('The project could not be exported'),
    run: ({ id }) => {
      exportProject(context, id);
      return Promise.resolve();
    }
  });

  commands.addCommand(CommandIDs.importArchive, {
    label: args =>
      args.isPalette === true
        ? trans.__('Import Project…')
        : trans.__('Import Project'),
    caption: trans.__('Make a project of an archive that was exported'),
    icon: fileUploadIcon,
    describedBy: { args: {} },
    execute: async () => {
      const file = await chooseFile();
      if (file) {
        importProject(context, file);
      }
    }
  });
}

/** Have it downloaded; the server tells when all of it was sent. */
function exportProject({ projects }: ICommandContext, id: string): void {
  const { events, settings, trans } = projects;
  const ended = new PromiseDelegate<string>();
  const stop = downloadArchive(settings, id, error => {
    ended.reject(error);
  });
  const listen = (_: unknown, { action, data, projectId }: IServerEvent): void => {
    if (action !== 'exported' || projectId !== id) {
      return;
    }
    if (data.complete === false) {
      ended.reject(new NoArchiveError());
    } else {
      const size = typeof data.bytes === 'number' ? sizeInWords(data.bytes) : '';
      ended.resolve(trans.__('%1 was exported: %2.', id, size));
    }
  };
  // Who was away does not know what was sent meanwhile; the browser does.
  const lost = (): void => {
    ended.resolve(trans.__('%1 is being downloaded by the browser.', id));
  };
  events.happened.connect(listen);
  events.disconnected.connect(lost);
  const clean = (): void => {
    events.happened.disconnect(listen);
    events.disconnected.disconnect(lost);
    stop();
  };
  ended.promise.then(clean, clean);
  showWork(
    ended.promise,
    {
      pending: trans.__('Exporting %1…', id),
      done: message => message,
      failed: trans.__('The project could not be exported')
    },
    trans
  );
}

function importProject(context: ICommandContext, file: File): void {
  const { settings, trans } = context.projects;
  const stop = new AbortController();
  let told = 0;
  const work = importArchive(
    settings,
    file,
    part => {
      const percent = Math.floor(part * 100);
      if (percent > told) {
        told = percent;
        progress.tell(trans.__('Importing %1: %2 % sent', file.name, percent));
      }
    },
    stop.signal
  );
  const progress = showWork(
    work,
    {
      pending: trans.__('Importing %1…', file.name),
      done: ({ id }) => trans.__('%1 was imported.', id),
      actions: [openAction(context)],
      failed: trans.__('The archive could not be imported'),
      cancel: () => {
        stop.abort();
      }
    },
    trans
  );
}

/** The file that the user chooses; null for none. */
function chooseFile(): Promise<File | null> {
  const input = document.createElement('input');
  input.type = 'file';
  input.accept = '.gz,.tgz,application/gzip';
  return new Promise(resolve => {
    input.addEventListener('change', () => {
      resolve(input.files?.[0] ?? null);
    });
    input.addEventListener('cancel', () => {
      resolve(null);
    });
    input.click();
  });
}
