import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { FormBody, PrefixField } from './form';

/** The body of the dialog that copies a project. */
export class DuplicateBody extends FormBody {
  constructor(prefix: string, trans: TranslationBundle) {
    super();
    this._prefix = prefix;
    this._trans = trans;
  }

  protected override renderFields(): React.JSX.Element {
    const { _prefix: prefix, _trans: trans } = this;
    return (
      <>
        <PrefixField
          label={trans.__('Name of the copy')}
          initial={prefix}
          help={trans.__('The server adds 8 digits, as in my-api-a7b3c2d1.')}
          rule={trans.__(
            'Use 1 to 32 of a–z, 0–9 and “-”, beginning with a letter, for example my-api.'
          )}
        />
        <label>
          <input type="checkbox" name="memory" defaultChecked />{' '}
          {trans.__('With its memory')}
        </label>
      </>
    );
  }

  private readonly _prefix: string;
  private readonly _trans: TranslationBundle;
}
