import { Dialog, InputDialog, Notification, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import { describe, showFailure } from '../failure';
import { RefusedError } from '../server/request';
import type { IRestored } from '../server/snapshots';
import type { MemoryModel } from './model';
import { isName, nameOf, pathIn, readable, shownName } from './paths';

/** More than any file that the server sends. */
const DOWNLOAD_LIMIT = 1 << 30;

/** For how long a restore can be undone from its notification. */
const UNDO_TIME = 60_000;

/** What the user can do in the memory view. None of these reject: failures are shown. */
export class Actions {
  constructor(
    private readonly _model: MemoryModel,
    private readonly _trans: TranslationBundle
  ) {}

  /** Open a file, unless there are changes that the user would not lose. */
  async open(path: string): Promise<void> {
    const { file } = this._model;
    if (file?.path === path && file.shown.kind !== 'failed') {
      this._model.stage = 'file';
    } else if (await this.mayLeave()) {
      await this._model.open(path);
    }
  }

  /** Ask what to do with changes that are not saved; whether to go on. */
  async mayLeave(): Promise<boolean> {
    const { file } = this._model;
    if (file?.isDirty !== true) {
      return true;
    }
    const { button } = await showDialog({
      title: this._trans.__('Save your changes?'),
      body: this._trans.__('Your changes of "%1" are not saved.', shownName(file.name)),
      buttons: [
        Dialog.cancelButton(),
        Dialog.warnButton({ label: this._trans.__('Discard') }),
        Dialog.okButton({ label: this._trans.__('Save') })
      ]
    });
    return button.label === this._trans.__('Save') ? this.save() : button.accept;
  }

  /** Save the open file; whether nothing is left to be saved. */
  async save(overwrite = false): Promise<boolean> {
    const { file } = this._model;
    if (file === null) {
      return true;
    }
    const isSaved = await this._try(this._trans.__('The file could not be saved'), () =>
      file.save(overwrite)
    );
    this._model.invalidate();
    return isSaved === true;
  }

  /** Read the open file again. */
  async reload(): Promise<void> {
    const { file } = this._model;
    if (file !== null && (await this.mayLeave())) {
      await file.load();
    }
  }

  /** Ask for a name and make an empty file of it. */
  async create(): Promise<void> {
    const { directory } = this._model.tree;
    if (directory === null || !(await this.mayLeave())) {
      return;
    }
    const { value } = await InputDialog.getText({
      title: this._trans.__('New file in %1', readable(directory)),
      label: this._trans.__('Name'),
      okLabel: this._trans.__('Create')
    });
    const name = value?.trim() ?? '';
    if (name === '') {
      return;
    }
    const title = this._trans.__('The file could not be made');
    if (!isName(name)) {
      showFailure(title, this._trans.__('"%1" is no name for a file.', name), this._trans);
      return;
    }
    const path = pathIn(directory, name);
    const session = this._model.sessionFor(path);
    const made = await this._try(title, async () => {
      await this._model.client.write(path, session, '', 'nothing').catch((error: unknown) => {
        throw isRefused(error, 412)
          ? new Error(this._trans.__('There is already something of that name.'))
          : error;
      });
      return true;
    });
    if (made === true) {
      await this._model.tree.reveal(path);
      await this._model.open(path);
      this._model.invalidate();
    }
  }

  /** Ask for files of the user's machine and put them into the active directory. */
  chooseUpload(): void {
    const { directory } = this._model.tree;
    if (directory === null) {
      return;
    }
    const input = document.createElement('input');
    input.type = 'file';
    input.multiple = true;
    input.addEventListener('change', () => {
      void this.upload(directory, [...(input.files ?? [])]);
    });
    input.click();
  }

  /** Put files into a directory. */
  async upload(directory: string, files: readonly File[]): Promise<void> {
    const title = this._trans.__('A file could not be uploaded');
    let last: string | null = null;
    for (const [i, file] of files.entries()) {
      this._model.busy = this._trans.__(
        'Uploading %1 of %2: %3',
        i + 1,
        files.length,
        shownName(file.name)
      );
      const path = pathIn(directory, file.name);
      if ((await this._try(title, () => this._put(path, file))) === true) {
        last = path;
      }
    }
    this._model.busy = '';
    if (last !== null) {
      await this._model.tree.reveal(last);
    }
    this._model.invalidate();
  }

  /** Write a file of the user's machine, over another one only if the user says so. */
  private async _put(path: string, file: File): Promise<boolean> {
    const { client } = this._model;
    const session = this._model.sessionFor(path);
    try {
      await client.write(path, session, file, 'nothing');
      return true;
    } catch (error) {
      if (!isRefused(error, 412)) {
        throw error;
      }
    }
    const { button } = await showDialog({
      title: this._trans.__('Overwrite the file?'),
      body: this._trans.__('There is already something named "%1".', shownName(file.name)),
      buttons: [
        Dialog.cancelButton({ label: this._trans.__('Skip') }),
        Dialog.warnButton({ label: this._trans.__('Overwrite') })
      ]
    });
    if (button.accept) {
      await client.write(path, session, file, 'anything');
    }
    return button.accept;
  }

  /** Give the user the open or the active file. */
  async download(path = this._activeFile()): Promise<void> {
    if (path === null) {
      return;
    }
    const session = this._model.sessionFor(path);
    await this._try(this._trans.__('The file could not be downloaded'), async () => {
      const limit = DOWNLOAD_LIMIT;
      const content = await this._model.client.read(path, session, { limit });
      const link = document.createElement('a');
      link.href = URL.createObjectURL(new Blob([content?.bytes ?? '']));
      link.download = nameOf(path);
      link.click();
      // Not before the browser has begun to read it.
      setTimeout(() => {
        URL.revokeObjectURL(link.href);
      }, 10_000);
    });
  }

  private _activeFile(): string | null {
    const row = this._model.tree.activeRow;
    return row?.kind === 'file' ? row.path : null;
  }

  /** Ask, and remove the active row or `path`. */
  async remove(path?: string): Promise<void> {
    const { tree } = this._model;
    const row = path === undefined ? tree.activeRow : null;
    const target = path ?? row?.path;
    if (target === undefined || row?.kind === 'note' || row?.kind === 'route') {
      return;
    }
    const name = shownName(row?.entry?.name ?? nameOf(target));
    const { button } = await showDialog({
      title: this._trans.__('Delete "%1"?', name),
      body:
        row?.kind === 'directory'
          ? this._trans.__('The directory is deleted with all that is in it.')
          : this._trans.__('The file is deleted for sessions, too.'),
      buttons: [
        Dialog.cancelButton(),
        Dialog.warnButton({ label: this._trans.__('Delete') })
      ]
    });
    if (!button.accept) {
      return;
    }
    // While the row is still there, or the focus would go with it.
    tree.activateParent(target);
    const removed = await this._try(this._trans.__('It could not be deleted'), async () => {
      await this._model.remove(target);
      return true;
    });
    if (removed !== true) {
      tree.active = target;
    }
  }

  /** Take a snapshot now. */
  async takeSnapshot(): Promise<void> {
    const taken = await this._try(this._trans.__('No snapshot could be taken'), () =>
      this._model.history.take()
    );
    if (taken !== undefined) {
      const { created, generation } = taken;
      Notification.info(
        created
          ? this._trans.__('Snapshot %1 was taken.', generation)
          : this._trans.__('Nothing has changed since snapshot %1.', generation),
        { autoClose: 5000 }
      );
    }
  }

  /** Go back to a snapshot; the notification offers the way back. */
  async restore(generation: number): Promise<void> {
    const title = this._trans.__('The snapshot could not be restored');
    this._model.busy = this._trans.__('Restoring snapshot %1…', generation);
    const restored = await this._try(title, () => this._model.history.restore(generation));
    this._model.busy = '';
    if (restored !== undefined) {
      this._tellRestored(restored);
    }
    this._model.invalidate();
  }

  private _tellRestored({ generation, undo, lost, problems }: IRestored): void {
    const trans = this._trans;
    const actions: Notification.IAction[] = [];
    if (undo !== null) {
      actions.push({
        label: trans.__('Undo'),
        callback: () => void this.restore(undo)
      });
    }
    if (problems.length > 0) {
      actions.push({
        label: trans.__('Details'),
        callback: () =>
          void showDialog({
            title: trans.__('Snapshot %1 was damaged', generation),
            body: problems.join('\n'),
            buttons: [Dialog.okButton()]
          })
      });
    }
    const message = trans.__('Hot memory is that of snapshot %1 again.', generation);
    if (lost > 0) {
      const files = trans._n('%1 file is lost.', '%1 files are lost.', lost);
      Notification.warning(`${message} ${files}`, { autoClose: false, actions });
    } else {
      Notification.success(message, { autoClose: UNDO_TIME, actions });
    }
  }

  /** Do it, and show why if it fails; undefined then. */
  private async _try<T>(title: string, act: () => Promise<T>): Promise<T | undefined> {
    try {
      return await act();
    } catch (error) {
      showFailure(title, `${title}: ${describe(error, this._trans)}`, this._trans);
      return undefined;
    }
  }
}

const isRefused = (error: unknown, status: number): boolean =>
  error instanceof RefusedError && error.status === status;
