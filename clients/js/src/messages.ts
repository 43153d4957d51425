/**
 * What to tell a person for each of the service's codes: what happened, and what to do.
 *
 * Codes in small letters are our own, for what never reached the service.
 */

import type { Language } from './i18n.js';

type Texts = Record<Language, string>;

export const messages: Record<string, Texts> = {
  AUTH_001: {
    en: 'Token refused. It may have expired or been revoked: sign in again.',
    de: 'Das Token wurde abgelehnt. Vielleicht ist es abgelaufen oder widerrufen: Melden Sie sich neu an.',
  },
  PERM_001: {
    en: 'You may not do this. Ask whoever runs this service for permission.',
    de: 'Das dürfen Sie nicht. Bitten Sie den Betreiber dieses Dienstes um die Erlaubnis.',
  },
  FILE_001: {
    en: 'This file does not exist (any more). Ask for a new link, or upload it again.',
    de: 'Diese Datei gibt es nicht (mehr). Bitten Sie um einen neuen Link, oder laden Sie sie noch einmal hoch.',
  },
  FILE_002: {
    en: 'This file is not open to you. Ask its owner to share it.',
    de: 'Diese Datei ist für Sie nicht freigegeben. Bitten Sie den Besitzer darum.',
  },
  FILE_003: {
    en: 'The file is larger than this server takes. Choose a smaller one.',
    de: 'Die Datei ist größer, als dieser Server annimmt. Wählen Sie eine kleinere.',
  },
  LINK_001: {
    en: 'This link is not valid. Copy the whole of it, or ask for a new one.',
    de: 'Dieser Link ist ungültig. Kopieren Sie ihn ganz, oder bitten Sie um einen neuen.',
  },
  LINK_002: {
    en: 'This link has expired. Ask for a new one.',
    de: 'Dieser Link ist abgelaufen. Bitten Sie um einen neuen.',
  },
  RATE_001: {
    en: 'Too many requests. Wait a moment and try again.',
    de: 'Zu viele Anfragen. Warten Sie einen Moment und versuchen Sie es noch einmal.',
  },
  UPLOAD_001: {
    en: 'Another window is sending this file too. Wait for it, or try again.',
    de: 'Ein anderes Fenster sendet diese Datei auch. Warten Sie darauf, oder versuchen Sie es noch einmal.',
  },
  UPLOAD_015: {
    en: 'Not everything has arrived. Try again: what is there is not sent again.',
    de: 'Es ist nicht alles angekommen. Versuchen Sie es noch einmal: Was da ist, wird nicht noch einmal gesendet.',
  },
  UPLOAD_002: {
    en: 'The file is in use. Try again in a moment.',
    de: 'Die Datei wird gerade benutzt. Versuchen Sie es gleich noch einmal.',
  },
  UPLOAD_004: {
    en: 'The connection was cut. What has arrived is kept: go on.',
    de: 'Die Verbindung brach ab. Was angekommen ist, bleibt: Machen Sie weiter.',
  },
  UPLOAD_005: {
    en: 'Some bytes arrived damaged and were thrown away. Go on: they are sent again.',
    de: 'Einige Bytes kamen beschädigt an und wurden verworfen. Machen Sie weiter: Sie werden neu gesendet.',
  },
  UPLOAD_006: {
    en: 'This upload was left alone for too long and was removed. Begin it again.',
    de: 'Dieser Upload ruhte zu lange und wurde entfernt. Beginnen Sie ihn noch einmal.',
  },
  UPLOAD_007: {
    en: 'What arrived is not the file that was announced, so it was not kept. Upload it again.',
    de: 'Was ankam, ist nicht die angekündigte Datei und wurde nicht behalten. Laden Sie sie noch einmal hoch.',
  },
  UPLOAD_008: {
    en: 'The connection is too slow: the server gave up waiting. Try again, or where the line is better.',
    de: 'Die Verbindung ist zu langsam: Der Server hat nicht länger gewartet. Versuchen Sie es noch einmal, oder an besserem Netz.',
  },
  UPLOAD_009: {
    en: 'This form is being sent already. Wait for the answer.',
    de: 'Dieses Formular wird schon gesendet. Warten Sie auf die Antwort.',
  },
  UPLOAD_010: {
    en: 'Another file was sent with this form before. Reload the page and send it again.',
    de: 'Mit diesem Formular wurde schon eine andere Datei gesendet. Laden Sie die Seite neu und senden Sie noch einmal.',
  },
  UPLOAD_011: {
    en: 'Something harmful was found in this file, so it was not kept. Check your computer before you send another.',
    de: 'In dieser Datei wurde etwas Schädliches gefunden; sie wurde nicht behalten. Prüfen Sie Ihren Rechner, bevor Sie noch eine senden.',
  },
  UPLOAD_012: {
    en: 'This file could not be checked for harmful content, so it was not kept. It may be too large for that; send a smaller one.',
    de: 'Diese Datei konnte nicht auf Schädliches geprüft werden; sie wurde nicht behalten. Vielleicht ist sie dafür zu groß: Senden Sie eine kleinere.',
  },
  UPLOAD_014: {
    en: 'The server has lost a piece of this upload, so it was ended. Begin it again.',
    de: 'Der Server hat ein Stück dieses Uploads verloren und ihn beendet. Beginnen Sie ihn noch einmal.',
  },
  QUOTA_001: {
    en: 'Your account has no room left for this file. Delete files you don’t need, or ask for more room.',
    de: 'Ihr Konto hat keinen Platz mehr für diese Datei. Löschen Sie, was Sie nicht brauchen, oder bitten Sie um mehr Platz.',
  },
  VAL_001: {
    en: 'The size of the file was not understood. Choose the file again.',
    de: 'Die Größe der Datei wurde nicht verstanden. Wählen Sie die Datei noch einmal.',
  },
  VAL_002: {
    en: 'The form came without a file. Choose one.',
    de: 'Das Formular kam ohne Datei an. Wählen Sie eine.',
  },
  VAL_003: {
    en: 'The server did not understand this. Check what you entered. {reason}',
    de: 'Der Server hat das nicht verstanden. Prüfen Sie Ihre Eingabe. {reason}',
  },
  STORAGE_002: {
    en: 'The file could not be stored just now. What has arrived is kept: try again in a moment.',
    de: 'Die Datei konnte gerade nicht gespeichert werden. Was angekommen ist, bleibt: Versuchen Sie es gleich noch einmal.',
  },
  STORAGE_003: {
    en: 'The file can’t be read just now. Try again in a moment.',
    de: 'Die Datei kann gerade nicht gelesen werden. Versuchen Sie es gleich noch einmal.',
  },
  STORAGE_004: {
    en: 'The server has no room left. Delete files you don’t need, or tell whoever runs it.',
    de: 'Auf dem Server ist kein Platz mehr. Löschen Sie, was Sie nicht brauchen, oder sagen Sie es dem Betreiber.',
  },
  STORAGE_005: {
    en: 'The file is listed, but its content is missing. Tell whoever runs the server.',
    de: 'Die Datei ist verzeichnet, aber ihr Inhalt fehlt. Sagen Sie es dem Betreiber des Servers.',
  },
  STORAGE_006: {
    en: 'The stored content is not what was uploaded. Tell whoever runs the server.',
    de: 'Der gespeicherte Inhalt ist nicht, was hochgeladen wurde. Sagen Sie es dem Betreiber des Servers.',
  },
  INFRA_002: {
    en: 'The server is not ready. Try again in a moment.',
    de: 'Der Server ist nicht bereit. Versuchen Sie es gleich noch einmal.',
  },
  INFRA_005: {
    en: 'The server made a mistake. Try again; if it stays, tell whoever runs it.',
    de: 'Der Server hat einen Fehler gemacht. Versuchen Sie es noch einmal; bleibt er, sagen Sie es dem Betreiber.',
  },
  offline: {
    en: 'The server can’t be reached. Check the connection and try again.',
    de: 'Der Server ist nicht zu erreichen. Prüfen Sie die Verbindung und versuchen Sie es noch einmal.',
  },
  store_unreachable: {
    en: 'The store behind the server can’t be reached from here. Check the connection and try again; if it stays, tell whoever runs it.',
    de: 'Der Speicher hinter dem Server ist von hier nicht zu erreichen. Prüfen Sie die Verbindung und versuchen Sie es noch einmal; bleibt es dabei, sagen Sie es dem Betreiber.',
  },
  signed_out: {
    en: 'Without a token nothing can be shown. Reload the page to enter one.',
    de: 'Ohne Token kann nichts gezeigt werden. Laden Sie die Seite neu, um eines einzugeben.',
  },
  form_closed: {
    en: 'This page’s address is not valid any more. Ask whoever gave it to you for a new one.',
    de: 'Die Adresse dieser Seite gilt nicht mehr. Bitten Sie den, der sie Ihnen gab, um eine neue.',
  },
  not_a_picture: {
    en: '“{name}” is no picture that this browser can read. Choose a PNG, JPEG or WebP.',
    de: '„{name}“ ist kein Bild, das dieser Browser lesen kann. Wählen Sie ein PNG, JPEG oder WebP.',
  },
  too_large: {
    en: '“{name}” has {size} bytes; this server takes at most {most}. Nothing was sent: choose a smaller file.',
    de: '„{name}“ hat {size} Bytes; dieser Server nimmt höchstens {most}. Nichts wurde gesendet: Wählen Sie eine kleinere Datei.',
  },
  bad_name: {
    en: '“{name}” is no name for a file here. Nothing was sent: rename the file.',
    de: '„{name}“ ist hier kein Name für eine Datei. Nichts wurde gesendet: Benennen Sie die Datei um.',
  },
  system_file: {
    en: '“{name}” belongs to the operating system. It was left out.',
    de: '„{name}“ gehört zum Betriebssystem. Die Datei wurde ausgelassen.',
  },
  aborted: {
    en: 'The upload of “{name}” was cancelled.',
    de: 'Der Upload von „{name}“ wurde abgebrochen.',
  },
  other_file: {
    en: 'This is another file. Choose “{name}” again, to go on with it.',
    de: 'Das ist eine andere Datei. Wählen Sie wieder „{name}“, um damit weiterzumachen.',
  },
  changed: {
    en: 'What arrived is not what “{name}” is now: it has changed meanwhile, or was damaged. It was not kept: upload it again.',
    de: 'Was ankam, ist nicht, was „{name}“ jetzt ist: Die Datei wurde inzwischen geändert oder beschädigt. Sie wurde nicht behalten: Laden Sie sie noch einmal hoch.',
  },
  unknown: {
    en: 'The server answered with status {status}. Try again; if it stays, tell whoever runs it.',
    de: 'Der Server antwortete mit Status {status}. Versuchen Sie es noch einmal; bleibt es dabei, sagen Sie es dem Betreiber.',
  },
};

// Where another code says the same to a person, and for answers without a readable body:
// those to HEAD, and those of a proxy in front of the service.
export const sameAs: Record<string, string> = {
  proxy: 'INFRA_002',
  INFRA_001: 'INFRA_002',
  DB_001: 'INFRA_002',
  EXT_001: 'INFRA_002',
  EXT_002: 'INFRA_002',
  EXT_003: 'INFRA_002',
  EXT_004: 'INFRA_002',
  UPLOAD_013: 'INFRA_002',
  VAL_004: 'VAL_003',
  401: 'AUTH_001',
  403: 'PERM_001',
  404: 'FILE_001',
  408: 'UPLOAD_008',
  409: 'UPLOAD_001',
  410: 'UPLOAD_006',
  413: 'FILE_003',
  423: 'UPLOAD_002',
  429: 'RATE_001',
  460: 'UPLOAD_005',
  500: 'INFRA_005',
  502: 'INFRA_002',
  503: 'INFRA_002',
  504: 'INFRA_002',
  507: 'STORAGE_004',
};
