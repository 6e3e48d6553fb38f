import type { TranslationBundle } from '@jupyterlab/translation';
import {
  deleteIcon,
  downloadIcon,
  refreshIcon,
  saveIcon,
  ToolbarButtonComponent
} from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Actions } from './actions';
import type { FileModel } from './file';
import { readable, shownName } from './paths';

/** What the header of a file is made of. */
export interface IFileHeaderProps {
  readonly file: FileModel;
  readonly actions: Actions;
  readonly trans: TranslationBundle;
}

/** Name and buttons of the open file, and what has happened to it on the server. */
export function FileHeader(props: IFileHeaderProps): React.JSX.Element {
  const { file, actions, trans } = props;
  const { shown, path, isDirty } = file;
  return (
    <>
      <div className="jp-CognitionMemory-header">
        <h2 title={readable(path)}>
          {shownName(file.name)}
          {isDirty && (
            <span
              className="jp-CognitionMemory-dirty"
              role="img"
              aria-label={trans.__('Not saved')}
              title={trans.__('Not saved')}
            />
          )}
        </h2>
        {shown.kind === 'text' && !shown.editable && (
          <span>{trans.__('Read-only: its lines end in different ways.')}</span>
        )}
        {shown.kind === 'text' && shown.editable && (
          <ToolbarButtonComponent
            icon={saveIcon}
            tooltip={trans.__('Save the file (Ctrl+S)')}
            enabled={isDirty && !file.isSaving}
            onClick={() => void actions.save()}
          />
        )}
        <ToolbarButtonComponent
          icon={refreshIcon}
          tooltip={trans.__('Read the file again')}
          onClick={() => void actions.reload()}
        />
        <ToolbarButtonComponent
          icon={downloadIcon}
          tooltip={trans.__('Download the file')}
          onClick={() => void actions.download(path)}
        />
        <ToolbarButtonComponent
          icon={deleteIcon}
          tooltip={trans.__('Delete the file')}
          onClick={() => void actions.remove(path)}
        />
      </div>
      {file.conflict !== null && <Conflict {...props} />}
    </>
  );
}

function Conflict({ file, actions, trans }: IFileHeaderProps): React.JSX.Element {
  const isGone = file.conflict === 'removed';
  return (
    <div role="alert" className="jp-CognitionMemory-conflict">
      <span>
        {isGone
          ? trans.__('The file was removed after you opened it.')
          : trans.__('The file was changed after you opened it.')}
      </span>
      {!isGone && (
        <button
          type="button"
          className="jp-mod-styled jp-mod-reject"
          onClick={() => void file.load()}
        >
          {trans.__('Reload, and lose my changes')}
        </button>
      )}
      <button
        type="button"
        className="jp-mod-styled jp-mod-warn"
        onClick={() => void actions.save(true)}
      >
        {isGone ? trans.__('Save it again') : trans.__('Overwrite with mine')}
      </button>
    </div>
  );
}
