import { ReactWidget } from '@jupyterlab/apputils';
import type { Dialog } from '@jupyterlab/apputils';
import * as React from 'react';

/** What the fields of a form hold, by their names. */
export type FormValues = Readonly<Partial<Record<string, string>>>;

/**
 * The body of a dialog with a form of plain fields.
 *
 * Lab's dialogs keep their button disabled while a field is `:invalid`, so that fields say what
 * they take with `required` and `pattern`.
 */
export abstract class FormBody
  extends ReactWidget
  implements Dialog.IBodyWidget<FormValues>
{
  constructor() {
    super();
    this.addClass('jp-CognitionForm');
  }

  /** Called by the dialog when it is closed. A box that is not checked has no value. */
  getValue(): FormValues {
    const form = this.node.querySelector('form');
    const entries = form ? [...new FormData(form)] : [];
    return Object.fromEntries(
      entries.map(([name, value]) => [name, typeof value === 'string' ? value : ''])
    );
  }

  /** The fields. */
  protected abstract renderFields(): React.JSX.Element;

  protected override render(): React.JSX.Element {
    return <Form>{this.renderFields()}</Form>;
  }
}

function Form({ children }: React.PropsWithChildren): React.JSX.Element {
  const form = React.useRef<HTMLFormElement>(null);
  React.useEffect(() => {
    // The dialog looks at the fields when something is typed, and they came after it.
    form.current?.dispatchEvent(new Event('input', { bubbles: true }));
    form.current?.querySelector<HTMLElement>('input, select')?.focus();
  }, []);
  return (
    <form
      ref={form}
      autoComplete="off"
      onSubmit={event => {
        event.preventDefault();
      }}
    >
      {children}
    </form>
  );
}

/** A field with its label, and below it what there is to say about it. */
export function Field(props: {
  readonly label: string;
  readonly help?: string;

  /** Given the properties that tie a control to its label and help. */
  readonly children: (control: {
    readonly id: string;
    readonly className: string;
    readonly 'aria-describedby'?: string;
  }) => React.JSX.Element;
}): React.JSX.Element {
  const id = React.useId();
  const { children, help, label } = props;
  return (
    <div className="jp-CognitionForm-field">
      <label htmlFor={id}>{label}</label>
      {children({
        id,
        className: 'jp-mod-styled',
        'aria-describedby': help ? `${id}-help` : undefined
      })}
      {help && (
        <p id={`${id}-help`} className="jp-CognitionForm-help">
          {help}
        </p>
      )}
    </div>
  );
}

/** What a prefix must be; the server has the last word. */
const PREFIX = '[a-z][a-z0-9\\-]{0,31}';

/** The beginning of a project's id, checked as it is typed. */
export function PrefixField(props: {
  readonly label: string;
  readonly initial?: string;

  /** Said while there is nothing wrong. */
  readonly help: string;

  /** Said of what is no prefix. */
  readonly rule: string;
}): React.JSX.Element {
  const { help, initial = '', label, rule } = props;
  const [value, setValue] = React.useState(initial);
  const isWrong = value !== '' && !new RegExp(`^${PREFIX}$`).test(value);
  const id = React.useId();
  return (
    <div className="jp-CognitionForm-field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        className="jp-mod-styled"
        name="user_prefix"
        required
        pattern={PREFIX}
        spellCheck={false}
        autoCapitalize="none"
        value={value}
        aria-invalid={isWrong}
        aria-describedby={`${id}-help`}
        onChange={event => {
          setValue(event.target.value);
        }}
      />
      <p
        id={`${id}-help`}
        aria-live="polite"
        className={isWrong ? 'jp-CognitionForm-wrong' : 'jp-CognitionForm-help'}
      >
        {isWrong ? rule : help}
      </p>
    </div>
  );
}
