import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import { StateModel } from '../model/state';
import type { Expected, IContent, MemoryClient } from '../server/memory';
import { TooLargeError } from '../server/memory';
import { RefusedError } from '../server/request';
import type { IText } from './content';
import { decode, encode, IMAGE_LIMIT, imageType, TEXT_LIMIT } from './content';
import { nameOf } from './paths';

/** What is shown of a file. */
export type Shown =
  | { readonly kind: 'loading' | 'binary' | 'large' }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'image'; readonly bytes: Uint8Array<ArrayBuffer>; readonly type: string }
  | { readonly kind: 'text'; readonly editable: boolean };

/** What has happened to a file on the server since it was opened. */
export type Conflict = 'changed' | 'removed' | null;

/** One file that is open, its text as it is on the server and as the user has it. */
export class FileModel extends StateModel {
  constructor(
    private readonly _client: MemoryClient,
    private readonly _sessionId: string | null,
    readonly path: string
  ) {
    super();
    this.name = nameOf(path);
  }

  readonly name: string;

  /** Emitted when the draft was replaced by what is on the server. */
  get loaded(): ISignal<this, void> {
    return this._loaded;
  }

  get shown(): Shown {
    return this._shown;
  }

  /** The user's text. */
  get draft(): string {
    return this._draft;
  }

  set draft(text: string) {
    const wasDirty = this.isDirty;
    this._draft = text;
    if (wasDirty !== this.isDirty) {
      this.stateChanged.emit();
    }
  }

  /** Whether the draft is not on the server. */
  get isDirty(): boolean {
    return this._shown.kind === 'text' && this._draft !== this._text;
  }

  get conflict(): Conflict {
    return this._conflict;
  }

  get isSaving(): boolean {
    return this._isSaving;
  }

  /** Read it, and give up the draft. Never rejects. */
  async load(): Promise<void> {
    await this._read(null);
  }

  /** See whether it is still what it was: a draft stays, anything else is shown anew. */
  async check(): Promise<void> {
    if (!this._isSaving && this._shown.kind !== 'loading') {
      await this._read(this._etag);
    }
  }

  /**
   * Write the draft. False when the file is no longer what it was, unless `overwrite`.
   *
   * @throws what MemoryClient.write throws.
   */
  async save(overwrite = false): Promise<boolean> {
    if (this._isSaving || this._shown.kind !== 'text' || !this._shown.editable) {
      return false;
    }
    const text = this._draft;
    const expected: Expected =
      overwrite || this._etag === null ? 'anything' : { etag: this._etag };
    this._isSaving = true;
    this._requests += 1; // an answer to a question from before says nothing any more
    this.stateChanged.emit();
    let refused = false;
    try {
      const body = encode(text, this._lineEnd);
      this._etag = await this._client.write(
        this.path,
        this._sessionId,
        new Blob([body]),
        expected
      );
      this._text = text;
      this._conflict = null;
    } catch (error) {
      refused = error instanceof RefusedError && error.status === 412;
      if (!refused) {
        throw error;
      }
    } finally {
      this._isSaving = false;
      this.stateChanged.emit();
    }
    if (refused) {
      this._conflict = 'changed';
      await this.check();
    }
    return !refused;
  }

  /** With an `etag`: if it has another one by now. */
  private async _read(etag: string | null): Promise<void> {
    const request = ++this._requests;
    const image = imageType(this.name);
    const limit = image === null ? TEXT_LIMIT : IMAGE_LIMIT;
    let content: IContent | null = null;
    let failure: unknown;
    try {
      content = await this._client.read(this.path, this._sessionId, {
        limit,
        etag
      });
    } catch (error) {
      failure = error;
    }
    // Answers can overtake each other; only the one asked for last counts.
    if (this.isDisposed || request !== this._requests) {
      return;
    }
    if (failure !== undefined) {
      this._onFailure(failure, etag !== null);
    } else if (content !== null) {
      this._onContent(content, image, etag !== null);
    } else if (this._conflict === 'removed') {
      this._conflict = null; // it is back, as it was
    }
    this.stateChanged.emit();
  }

  private _onFailure(error: unknown, isCheck: boolean): void {
    const isGone = error instanceof RefusedError && error.status === 404;
    if (this._shown.kind === 'text' && isCheck && isGone) {
      this._conflict = 'removed';
    } else if (this.isDirty) {
      return; // whatever it is, the draft stays
    } else if (error instanceof TooLargeError) {
      this._shown = { kind: 'large' };
      this._etag = error.etag;
    } else if (isGone || !isCheck) {
      this._shown = { kind: 'failed', error };
    }
  }

  private _onContent(
    { bytes, etag }: IContent,
    image: string | null,
    isCheck: boolean
  ): void {
    if (isCheck && this.isDirty) {
      this._conflict = 'changed';
      return;
    }
    this._etag = etag;
    this._conflict = null;
    const text = image === null ? decode(bytes) : null;
    if (image !== null) {
      this._shown = { kind: 'image', bytes, type: image };
    } else if (text === null) {
      this._shown = { kind: 'binary' };
    } else {
      this._shown = { kind: 'text', editable: text.editable };
      this._draft = this._text = text.text;
      this._lineEnd = text.lineEnd;
    }
    this._loaded.emit();
  }

  private readonly _loaded = new Signal<this, void>(this);
  private _shown: Shown = { kind: 'loading' };
  private _text = '';
  private _draft = '';
  private _lineEnd: IText['lineEnd'] = '\n';
  private _etag: string | null = null;
  private _conflict: Conflict = null;
  private _isSaving = false;
  private _requests = 0;
}
