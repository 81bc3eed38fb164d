"""Facts about the tables of OpenEMR that we write, or that the next domains will.

Names, types, keys and defaults, in a form of our own. Only columns that a writer must know: those that
we set, keys, and those without a default. ``start`` compares them with the server's; for the demo, which
has no OpenEMR, ``prepare`` makes tables of just these columns.

Source:
    OpenEMR 8.2.0-dev, v_database 541.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from textwrap import dedent
from types import MappingProxyType

ZERO_UUID = "'" + "\\0" * 16 + "'"


@dataclass(frozen=True, slots=True)
class Column:
    """One column as we know it."""

    name: str
    type: str
    nullable: bool = True
    default: str | None = None
    """As SQL; None is no default, or NULL where the column is nullable."""
    auto: bool = False
    """Whether the server numbers it."""
    touched: bool = False
    """Whether the server sets it to the current time on each update."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table as we know it."""

    name: str
    columns: Mapping[str, Column]
    primary: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Columns by name of the key, which is the first column's unless statements ask for it by another."""

    def ddl(self) -> str:
        """Return the statement that makes the table."""
        lines = [_column_ddl(column) for column in self.columns.values()]
        if self.primary:
            lines.append(f"PRIMARY KEY ({_quoted(self.primary)})")
        lines += [f"UNIQUE KEY ({_quoted(key)})" for key in self.unique]
        lines += [f"KEY `{name}` ({_quoted(key)})" for name, key in self.keys.items()]
        body = ",\n  ".join(lines)
        return f"CREATE TABLE IF NOT EXISTS `{self.name}` (\n  {body}\n) ENGINE=InnoDB"


def _column_ddl(column: Column) -> str:
    parts = [f"`{column.name}` {column.type}", "NULL" if column.nullable else "NOT NULL"]
    if column.auto:
        parts.append("AUTO_INCREMENT")
    elif column.default is not None:
        parts.append(f"DEFAULT {column.default}")
    if column.touched:
        parts.append("ON UPDATE CURRENT_TIMESTAMP")
    return " ".join(parts)


def _quoted(columns: tuple[str, ...]) -> str:
    return ", ".join(f"`{column}`" for column in columns)


def _table(
    name: str, columns: str, *, primary: str = "", unique: tuple[str, ...] = (), keys: tuple[str, ...] = ()
) -> Table:
    """Read the short form: a column a line, ``name type[!] [auto] [= default] [touched]``, ! is NOT NULL."""
    return Table(
        name,
        MappingProxyType({c.name: c for c in map(_column, dedent(columns).strip().splitlines())}),
        tuple(primary.split(",")) if primary else (),
        tuple(tuple(key.split(",")) for key in unique),
        dict(map(_key, keys)),
    )


def _key(text: str) -> tuple[str, tuple[str, ...]]:
    """Read ``name=column,column``, where the name may be left out."""
    name, _, columns = text.rpartition("=")
    parts = tuple(columns.split(","))
    return name or parts[0], parts


def _column(line: str) -> Column:
    name, _, rest = line.partition(" ")
    touched = rest.endswith(" touched")
    rest = rest.removesuffix(" touched")
    rest, _, default = rest.partition(" = ")
    auto = rest.endswith(" auto")
    kind = rest.removesuffix(" auto")
    known = {"": None, "now": "CURRENT_TIMESTAMP", "zeros": ZERO_UUID}
    return Column(name, kind.rstrip("!"), not kind.endswith("!"), known.get(default, default), auto, touched)


_ALL = (
    _table(
        "patient_data",
        """
        id bigint! auto
        uuid binary(16)
        title varchar(255)! = ''
        language varchar(255)! = ''
        financial varchar(255)! = ''
        fname varchar(255)! = ''
        lname varchar(255)! = ''
        mname varchar(255)! = ''
        DOB date
        street varchar(255)! = ''
        postal_code varchar(255)! = ''
        city varchar(255)! = ''
        state varchar(255)! = ''
        country_code varchar(255)! = ''
        phone_home varchar(255)! = ''
        status varchar(255)! = ''
        date datetime
        sex varchar(255)! = ''
        providerID int
        email varchar(255)! = ''
        race varchar(255)! = ''
        ethnicity varchar(255)! = ''
        pubpid varchar(255)! = ''
        pid bigint! = 0
        hipaa_allowsms varchar(3)! = 'NO'
        hipaa_allowemail varchar(3)! = 'NO'
        pricelevel varchar(255)! = 'standard'
        regdate datetime
        deceased_date datetime
        deceased_reason varchar(255)! = ''
        suffix tinytext
        created_by bigint
        updated_by bigint
        last_updated datetime! = now touched
        """,
        unique=("pid", "uuid"),
        keys=("lname,fname", "DOB", "id"),
    ),
    _table(
        "uuid_registry",
        """
        uuid binary(16)! = zeros
        table_name varchar(255)! = ''
        table_id varchar(255)! = ''
        document_drive tinyint! = 0
        mapped tinyint! = 0
        created timestamp
        """,
        primary="uuid",
    ),
    _table(
        "uuid_mapping",
        """
        id bigint! auto
        uuid binary(16)! = zeros
        resource varchar(255)! = ''
        resource_path varchar(255)
        table varchar(255)! = ''
        target_uuid binary(16)! = zeros
        created timestamp
        """,
        primary="id",
        keys=("uuid", "resource", "table", "target_uuid"),
    ),
    _table(
        "users",
        """
        id bigint! auto
        uuid binary(16)
        username varchar(255)
        authorized tinyint
        fname varchar(255)
        lname varchar(255)
        facility varchar(255)
        facility_id int! = 0
        active tinyint! = 1
        npi varchar(15)
        federaldrugid varchar(255)
        specialty varchar(255)
        google_signin_email varchar(255)
        organization varchar(255)
        taxonomy varchar(30)! = '207Q00000X'
        abook_type varchar(31)! = ''
        """,
        primary="id",
        unique=("google_signin_email", "uuid"),
        keys=("abook_type",),
    ),
    _table(
        "facility",
        """
        id int! auto
        uuid binary(16)
        name varchar(255)
        street varchar(255)
        city varchar(255)
        state varchar(50)
        postal_code varchar(11)
        country_code varchar(30)! = ''
        service_location tinyint! = 1
        billing_location tinyint! = 1
        pos_code tinyint
        facility_npi varchar(15)
        primary_business_entity int! = 1
        inactive tinyint! = 0
        """,
        primary="id",
        unique=("uuid",),
    ),
    _table(
        "sequences",
        """
        id int unsigned! = 0
        """,
    ),
    _table(
        "form_encounter",
        """
        id bigint! auto
        uuid binary(16)
        date datetime
        reason longtext
        facility longtext
        facility_id int! = 0
        pid bigint
        encounter bigint
        pc_catid int! = 5
        provider_id int = 0
        billing_facility int! = 0
        external_id varchar(20)
        pos_code tinyint
        class_code varchar(10)! = 'AMB'
        discharge_disposition varchar(100)
        encounter_type_code varchar(31)
        date_end datetime
        last_update timestamp! = now touched
        """,
        primary="id",
        unique=("uuid",),
        keys=("pid,encounter", "date"),
    ),
    _table(
        "forms",
        """
        id bigint! auto
        date datetime
        encounter bigint
        form_name longtext
        form_id bigint
        pid bigint
        user varchar(255)
        groupname varchar(255)
        authorized tinyint
        deleted tinyint! = 0
        formdir longtext
        provider_id bigint! = 0
        """,
        primary="id",
        keys=("pid,encounter", "form_id"),
    ),
    _table(
        "lists",
        """
        id bigint! auto
        uuid binary(16)
        date datetime
        type varchar(255)
        subtype varchar(31)! = ''
        title varchar(255)
        udi varchar(255)
        udi_data text
        begdate datetime
        enddate datetime
        occurrence int = 0
        diagnosis varchar(255)
        activity tinyint
        comments longtext
        pid bigint
        user varchar(255)
        groupname varchar(255)
        outcome int! = 0
        reaction varchar(255)! = ''
        verification varchar(36)! = ''
        modifydate timestamp! = now touched
        severity_al varchar(50)
        external_id varchar(20)
        """,
        primary="id",
        unique=("uuid",),
        keys=("pid", "type"),
    ),
    _table(
        "lists_medication",
        """
        id bigint! auto
        list_id bigint
        drug_dosage_instructions longtext
        usage_category varchar(100)
        usage_category_title varchar(255)!
        request_intent varchar(100)
        request_intent_title varchar(255)!
        prescription_id bigint
        is_primary_record tinyint = 1
        """,
        primary="id",
        keys=("usage_category", "request_intent", "lists_medication_list_idx=list_id"),
    ),
    _table(
        "lists_touch",
        """
        pid bigint! = 0
        type varchar(255)! = ''
        date datetime
        """,
        primary="pid,type",
    ),
    _table(
        "issue_encounter",
        """
        id bigint! auto
        uuid binary(16)
        pid bigint!
        list_id int!
        encounter int!
        resolved tinyint!
        created_by bigint
        updated_by bigint
        """,
        primary="id",
        unique=("pid,list_id,encounter", "uuid"),
    ),
    _table(
        "prescriptions",
        """
        id int! auto
        uuid binary(16)
        patient_id bigint
        date_added datetime
        date_modified datetime
        provider_id int
        encounter int
        start_date date
        drug varchar(150)
        drug_id int! = 0
        rxnorm_drugcode varchar(25)
        form int
        dosage varchar(100)
        quantity varchar(31)
        size varchar(25)
        unit int
        route varchar(100)
        interval int
        refills int
        medication int
        note text
        active int! = 1
        datetime datetime
        user varchar(50)
        external_id varchar(20)
        end_date date
        txDate date!
        usage_category varchar(100)
        usage_category_title varchar(255)!
        request_intent varchar(100)
        request_intent_title varchar(255)!
        drug_dosage_instructions longtext
        diagnosis text
        created_by bigint
        updated_by bigint
        """,
        primary="id",
        unique=("uuid",),
        keys=("patient_id",),
    ),
    _table(
        "immunizations",
        """
        id bigint! auto
        uuid binary(16)
        patient_id bigint
        administered_date datetime
        immunization_id int
        cvx_code varchar(64)
        manufacturer varchar(100)
        lot_number varchar(50)
        administered_by_id bigint
        note text
        create_date datetime
        update_date timestamp!
        created_by bigint
        updated_by bigint
        amount_administered float
        amount_administered_unit varchar(50)
        route varchar(100)
        added_erroneously tinyint! = 0
        external_id varchar(20)
        completion_status varchar(50)
        information_source varchar(31)
        encounter_id bigint
        """,
        primary="id",
        unique=("uuid",),
        keys=("patient_id",),
    ),
    _table(
        "codes",
        """
        id int! auto
        code_text text
        code_text_short text
        code varchar(25)! = ''
        code_type smallint
        active tinyint = 1
        """,
        primary="id",
        keys=("code", "code_type"),
    ),
    _table(
        "history_data",
        """
        id bigint! auto
        uuid binary(16)
        tobacco longtext
        date datetime
        pid bigint! = 0
        created_by bigint
        """,
        primary="id",
        unique=("uuid",),
        keys=("pid",),
    ),
    _table(
        "procedure_providers",
        """
        ppid bigint! auto
        uuid binary(16)
        name varchar(255)! = ''
        npi varchar(15)! = ''
        lab_director bigint! = 0
        active tinyint! = 1
        """,
        primary="ppid",
        unique=("uuid",),
    ),
    _table(
        "procedure_type",
        """
        procedure_type_id bigint! auto
        parent bigint! = 0
        name varchar(63)! = ''
        lab_id bigint! = 0
        procedure_code varchar(64)! = ''
        procedure_type varchar(31)! = ''
        standard_code varchar(255)! = ''
        activity tinyint! = 1
        procedure_type_name varchar(64)
        """,
        primary="procedure_type_id",
        keys=("parent", "procedure_code"),
    ),
    _table(
        "procedure_order",
        """
        procedure_order_id bigint! auto
        uuid binary(16)
        provider_id bigint! = 0
        patient_id bigint!
        encounter_id bigint! = 0
        date_collected datetime
        date_ordered datetime
        order_priority varchar(31)! = ''
        order_status varchar(31)! = ''
        activity tinyint! = 1
        control_id varchar(255)! = ''
        lab_id bigint! = 0
        specimen_type varchar(31)! = ''
        external_id varchar(20)
        history_order enum('0','1') = '0'
        order_diagnosis varchar(255) = ''
        procedure_order_type varchar(32)! = 'laboratory_test'
        scheduled_date datetime
        order_intent varchar(31)! = 'order'
        location_id int
        """,
        primary="procedure_order_id",
        unique=("uuid",),
        keys=(
            "date_ordered,patient_id",
            "patient_id",
            "specimen_type",
            "scheduled_date",
            "order_intent",
            "location_id",
        ),
    ),
    _table(
        "procedure_order_code",
        """
        procedure_order_id bigint!
        procedure_order_seq int!
        procedure_code varchar(64)! = ''
        procedure_name varchar(255)! = ''
        procedure_source char(1)! = '1'
        diagnoses text
        procedure_order_title varchar(255)
        procedure_type varchar(31)
        """,
        primary="procedure_order_id,procedure_order_seq",
    ),
    _table(
        "procedure_report",
        """
        procedure_report_id bigint! auto
        uuid binary(16)
        procedure_order_id bigint
        procedure_order_seq int! = 1
        date_collected datetime
        date_collected_tz varchar(5) = ''
        date_report datetime
        date_report_tz varchar(5) = ''
        source bigint! = 0
        report_status varchar(31)! = ''
        review_status varchar(31)! = 'received'
        """,
        primary="procedure_report_id",
        unique=("uuid",),
        keys=("procedure_order_id",),
    ),
    _table(
        "procedure_result",
        """
        procedure_result_id bigint! auto
        uuid binary(16)
        procedure_report_id bigint!
        result_data_type char(1)! = 'S'
        result_code varchar(31)! = ''
        result_text varchar(255)! = ''
        date datetime
        units varchar(31)! = ''
        result varchar(255)! = ''
        range varchar(255)! = ''
        abnormal varchar(31)! = ''
        result_status varchar(31)! = ''
        """,
        primary="procedure_result_id",
        unique=("uuid",),
        keys=("procedure_report_id",),
    ),
    _table(
        "form_vitals",
        """
        id bigint! auto
        uuid binary(16)
        date datetime
        pid bigint = 0
        user varchar(255)
        groupname varchar(255)
        authorized tinyint = 0
        activity tinyint = 0
        bps varchar(40)
        bpd varchar(40)
        weight decimal(12,6) = 0.000000
        height decimal(12,6) = 0.000000
        temperature decimal(12,6) = 0.000000
        temp_method varchar(255)
        pulse decimal(12,6) = 0.000000
        respiration decimal(12,6) = 0.000000
        note varchar(255)
        BMI decimal(12,6) = 0.000000
        BMI_status varchar(255)
        waist_circ decimal(12,6) = 0.000000
        head_circ decimal(12,6) = 0.000000
        oxygen_saturation decimal(6,2) = 0.00
        oxygen_flow_rate decimal(12,6) = 0.000000
        external_id varchar(20)
        ped_weight_height decimal(6,2) = 0.00
        ped_bmi decimal(6,2) = 0.00
        ped_head_circ decimal(6,2) = 0.00
        inhaled_oxygen_concentration decimal(6,2) = 0.00
        """,
        primary="id",
        unique=("uuid",),
        keys=("pid",),
    ),
    _table(
        "documents",
        """
        id int! = 0
        uuid binary(16)
        type enum('file_url','blob','web_url')
        size int
        date datetime
        url varchar(255)
        mimetype varchar(255)
        pages int
        owner int
        revision timestamp!
        foreign_id bigint
        docdate date
        hash varchar(255)
        list_id bigint! = 0
        name varchar(255)
        drive_uuid binary(16)
        storagemethod tinyint! = 0
        path_depth tinyint = 1
        imported tinyint = 0
        encounter_id bigint! = 0
        audit_master_approval_status tinyint! = 1
        encrypted tinyint! = 0
        deleted tinyint! = 0
        foreign_reference_id bigint
        foreign_reference_table varchar(40)
        """,
        primary="id",
        unique=("drive_uuid", "uuid"),
        keys=("revision", "foreign_id", "foreign_reference_id,foreign_reference_table", "owner"),
    ),
    _table(
        "categories",
        """
        id int! = 0
        name varchar(255)
        parent int! = 0
        lft int! = 0
        rght int! = 0
        """,
        primary="id",
        keys=("parent", "lft,rght"),
    ),
    _table(
        "categories_to_documents",
        """
        category_id int! = 0
        document_id int! = 0
        """,
        primary="category_id,document_id",
    ),
)

TABLES: Mapping[str, Table] = MappingProxyType({table.name: table for table in _ALL})

WRITTEN = (
    "patient_data",
    "uuid_registry",
    "uuid_mapping",
    "users",
    "facility",
    "sequences",
    "form_encounter",
    "forms",
    "lists",
    "lists_medication",
    "issue_encounter",
    "prescriptions",
    "immunizations",
    "codes",
    "history_data",
    "procedure_providers",
    "procedure_type",
    "procedure_order",
    "procedure_order_code",
    "procedure_report",
    "procedure_result",
    "form_vitals",
)
"""Tables that this version writes or reads; their shape is checked before any message is taken."""

WRITTEN_FOR_DOCUMENTS = ("documents", "categories_to_documents")
"""... and those where documents are filed."""
READ_FOR_DOCUMENTS = ("categories",)
