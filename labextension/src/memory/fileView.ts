import type { IEditorServices } from '@jupyterlab/codeeditor';
import { CodeEditor, CodeEditorWrapper } from '@jupyterlab/codeeditor';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Panel, Widget } from '@lumino/widgets';
import { createElement } from 'react';
import type * as React from 'react';

import { describe } from '../failure';
import type { Actions } from './actions';
import type { FileModel } from './file';
import { difference } from './content';
import { FileHeader } from './fileHeader';
import { LiveWidget } from './live';

/** An open file: text in Lab's editor, a picture, or what can be said of anything else. */
export class FileView extends Panel {
  constructor(
    readonly file: FileModel,
    private readonly _actions: Actions,
    private readonly _editors: IEditorServices,
    private readonly _trans: TranslationBundle
  ) {
    super();
    this.addClass('jp-CognitionMemory-pane');
    this.addWidget(new Header(file, _actions, _trans));
    file.stateChanged.connect(this._onChanged, this);
    file.loaded.connect(this._onLoaded, this);
    this._onChanged();
  }

  override dispose(): void {
    const model = this._editor?.model;
    this._releaseImage();
    super.dispose();
    model?.dispose();
  }

  /** Show the right kind of body. */
  private _onChanged(): void {
    const { shown } = this.file;
    if (shown.kind !== this._kind) {
      this._kind = shown.kind;
      this._replaceBody(shown.kind === 'text' ? this._makeEditor() : this._makeOther());
    }
  }

  /** Take over what came from the server. */
  private _onLoaded(): void {
    if (this.file.shown.kind !== this._kind) {
      return; // another kind of body is about to come
    }
    if (this._kind === 'image') {
      this._replaceBody(this._makeOther());
    } else if (this._editor && this.file.shown.kind === 'text') {
      const { sharedModel } = this._editor.model;
      const { start, end, text } = difference(sharedModel.getSource(), this.file.draft);
      // Only what is another, so that the cursor stays where it is.
      sharedModel.updateSource(start, end, text);
      this._editor.editor.setOption('readOnly', !this.file.shown.editable);
    }
  }

  private _makeEditor(): Widget {
    const { file } = this;
    const mimeType = this._editors.mimeTypeService.getMimeTypeByFilePath(file.name);
    const model = new CodeEditor.Model({ mimeType });
    model.sharedModel.setSource(file.draft);
    model.sharedModel.clearUndoHistory();
    model.sharedModel.changed.connect(() => {
      file.draft = model.sharedModel.getSource();
    });
    const wrapper = new CodeEditorWrapper({
      model,
      factory: options =>
        this._editors.factoryService.newDocumentEditor({
          ...options,
          config: {
            ...options.config,
            lineNumbers: true,
            lineWrap: true,
            readOnly: file.shown.kind === 'text' && !file.shown.editable
          }
        })
    });
    wrapper.addClass('jp-CognitionMemory-editor');
    wrapper.node
      .querySelector('.cm-content')
      ?.setAttribute('aria-label', this._trans.__('Text of %1', file.name));
    this._editor = wrapper;
    return wrapper;
  }

  private _makeOther(): Widget {
    const { shown, name, path } = this.file;
    const body = new Widget();
    body.addClass('jp-CognitionMemory-body');
    if (shown.kind === 'image') {
      this._releaseImage();
      this._url = URL.createObjectURL(new Blob([shown.bytes], { type: shown.type }));
      const image = document.createElement('img');
      image.src = this._url;
      image.alt = name;
      body.node.append(image);
      return body;
    }
    const line = document.createElement('p');
    line.textContent = this._sentence();
    line.setAttribute('role', shown.kind === 'failed' ? 'alert' : 'status');
    body.node.append(line);
    if (shown.kind === 'binary' || shown.kind === 'large') {
      const button = document.createElement('button');
      button.type = 'button';
      button.className = 'jp-mod-styled';
      button.textContent = this._trans.__('Download');
      button.addEventListener('click', () => void this._actions.download(path));
      body.node.append(button);
    }
    return body;
  }

  private _sentence(): string {
    const { shown } = this.file;
    switch (shown.kind) {
      case 'failed':
        return describe(shown.error, this._trans);
      case 'binary':
        return this._trans.__('This is no text.');
      case 'large':
        return this._trans.__('The file is too large to be shown.');
      default:
        return this._trans.__('Loading…');
    }
  }

  private _replaceBody(body: Widget): void {
    const old = this._body;
    old?.dispose();
    if (this._editor !== null && this._editor === old) {
      this._editor.model.dispose();
      this._editor = null;
    }
    this._body = body;
    this.addWidget(body);
  }

  private _releaseImage(): void {
    if (this._url) {
      URL.revokeObjectURL(this._url);
      this._url = '';
    }
  }

  private _kind = '';
  private _url = '';
  private _body: Widget | null = null;
  private _editor: CodeEditorWrapper | null = null;
}

/** Name, buttons and state above the body. */
class Header extends LiveWidget {
  constructor(
    private readonly _file: FileModel,
    private readonly _actions: Actions,
    private readonly _trans: TranslationBundle
  ) {
    super([_file.stateChanged]);
  }

  protected override render(): React.JSX.Element {
    return createElement(FileHeader, {
      file: this._file,
      actions: this._actions,
      trans: this._trans
    });
  }
}
