//! What counts as personal, under which provision, and what is done with it unless a policy says otherwise.

use super::policy::Action;

/// Why something is not released. The provisions are those of Korean law: the Official Information Disclosure Act (정보공개법), article 9(1),
/// with its item, and the Personal Information Protection Act (개인정보 보호법).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Basis {
    /// Numbers that single out a person by law: PIPA 24, 24-2.
    UniqueIdentifier,
    /// Health and other sensitive data: PIPA 23.
    Sensitive,
    /// Privacy of a person: disclosure act 9(1)6.
    Personal,
    /// Trade secrets and know-how of a company: 9(1)7.
    BusinessSecret,
    /// National security, core technology, export control: 9(1)1 and 2.
    Security,
    /// Evaluations and decisions that are not finished: 9(1)5.
    Deliberation,
    /// Keys and passwords: nobody's information, and everybody's risk.
    Credential,
    /// Released: about offices, companies or the public side of a person's work.
    Public,
}

impl Basis {
    /// `personal`, `business_secret`, …: the reason code.
    pub fn code(self) -> &'static str {
        match self {
            Basis::UniqueIdentifier => "unique_identifier",
            Basis::Sensitive => "sensitive",
            Basis::Personal => "personal",
            Basis::BusinessSecret => "business_secret",
            Basis::Security => "security",
            Basis::Deliberation => "deliberation",
            Basis::Credential => "credential",
            Basis::Public => "public",
        }
    }

    /// The provision, in Korean.
    pub fn provision(self) -> &'static str {
        match self {
            Basis::UniqueIdentifier => "개인정보 보호법 제24조, 제24조의2 (고유식별정보)",
            Basis::Sensitive => "개인정보 보호법 제23조 (민감정보)",
            Basis::Personal => "정보공개법 제9조제1항제6호 (사생활)",
            Basis::BusinessSecret => "정보공개법 제9조제1항제7호 (경영상·영업상 비밀)",
            Basis::Security => "정보공개법 제9조제1항제1호, 제2호 (다른 법률의 비밀, 국가안전보장)",
            Basis::Deliberation => "정보공개법 제9조제1항제5호 (의사결정·내부검토 과정)",
            Basis::Credential => "접근 수단 (비밀번호, 키)",
            Basis::Public => "공개 대상",
        }
    }
}

/// A kind of personal or identifying data. Names are those of the field (Presidio, Korean PII corpora).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Label {
    /// Name of a person.
    Person,
    /// Rank or post beside a name.
    Position,
    /// Telephone and fax numbers.
    Phone,
    /// E-mail address.
    Email,
    /// Postal address down to a street or lot number.
    Address,
    /// Postal code.
    PostalCode,
    /// Korean resident registration number, whole or partly masked.
    Rrn,
    /// Korean foreigner registration number.
    Frn,
    /// United States social security or United Kingdom national insurance number.
    Ssn,
    /// Passport number.
    Passport,
    /// Driving licence number.
    DriverLicense,
    /// Bank account, IBAN.
    Account,
    /// Payment card number.
    Card,
    /// Date of birth.
    DtBirth,
    /// Age of a person.
    Age,
    /// Registration plate.
    Vehicle,
    /// IP address.
    Ip,
    /// Number of a health insurance card.
    MedicalInsurance,
    /// Number of a prescription.
    PrescriptionId,
    /// Body height.
    Height,
    /// Body weight.
    Weight,
    /// Nationality, where a form asks for it.
    Nationality,
    /// School or degree, where a form asks for it.
    Education,
    /// Subject studied, where a form asks for it.
    Major,
    /// Web address.
    Url,
    /// Business registration number of a company.
    BusinessReg,
    /// Corporation registration number.
    CorpReg,
    /// Password, access key, private key.
    Secret,
}

impl Label {
    /// Every label.
    pub const ALL: [Label; 28] = [
        Label::Person,
        Label::Position,
        Label::Phone,
        Label::Email,
        Label::Address,
        Label::PostalCode,
        Label::Rrn,
        Label::Frn,
        Label::Ssn,
        Label::Passport,
        Label::DriverLicense,
        Label::Account,
        Label::Card,
        Label::DtBirth,
        Label::Age,
        Label::Vehicle,
        Label::Ip,
        Label::MedicalInsurance,
        Label::PrescriptionId,
        Label::Height,
        Label::Weight,
        Label::Nationality,
        Label::Education,
        Label::Major,
        Label::Url,
        Label::BusinessReg,
        Label::CorpReg,
        Label::Secret,
    ];

    /// `PERSON`, `DT_BIRTH`, …
    pub fn name(self) -> &'static str {
        match self {
            Label::Person => "PERSON",
            Label::Position => "POSITION",
            Label::Phone => "PHONE",
            Label::Email => "EMAIL",
            Label::Address => "ADDRESS",
            Label::PostalCode => "POSTAL_CODE",
            Label::Rrn => "RRN",
            Label::Frn => "FRN",
            Label::Ssn => "SSN",
            Label::Passport => "PASSPORT",
            Label::DriverLicense => "DRIVER_LICENSE",
            Label::Account => "ACCOUNT",
            Label::Card => "CARD",
            Label::DtBirth => "DT_BIRTH",
            Label::Age => "AGE",
            Label::Vehicle => "VEHICLE",
            Label::Ip => "IP",
            Label::MedicalInsurance => "MEDICAL_INSURANCE",
            Label::PrescriptionId => "PRESCRIPTION_ID",
            Label::Height => "HEIGHT",
            Label::Weight => "WEIGHT",
            Label::Nationality => "NATIONALITY",
            Label::Education => "EDUCATION",
            Label::Major => "MAJOR",
            Label::Url => "URL",
            Label::BusinessReg => "BUSINESS_REG",
            Label::CorpReg => "CORP_REG",
            Label::Secret => "SECRET",
        }
    }

    /// The label of that name.
    pub fn named(name: &str) -> Option<Label> {
        Label::ALL.into_iter().find(|l| l.name().eq_ignore_ascii_case(name))
    }

    /// Why it is personal.
    pub fn basis(self) -> Basis {
        match self {
            Label::Rrn | Label::Frn | Label::Ssn | Label::Passport | Label::DriverLicense => Basis::UniqueIdentifier,
            Label::MedicalInsurance | Label::PrescriptionId | Label::Height | Label::Weight => Basis::Sensitive,
            Label::Person
            | Label::Phone
            | Label::Email
            | Label::Address
            | Label::PostalCode
            | Label::Account
            | Label::Card
            | Label::DtBirth
            | Label::Age
            | Label::Vehicle
            | Label::Ip
            | Label::Nationality => Basis::Personal,
            Label::Secret => Basis::Credential,
            Label::Position | Label::Education | Label::Major | Label::Url | Label::BusinessReg | Label::CorpReg => {
                Basis::Public
            }
        }
    }

    /// What is done with it unless the policy says otherwise.
    pub fn action(self) -> Action {
        match self {
            Label::DtBirth | Label::Age | Label::Address => Action::Generalise,
            _ if self.basis() == Basis::Public => Action::Keep,
            _ => Action::Mask,
        }
    }
}
